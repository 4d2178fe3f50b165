// check FILE LINES LENGTH: are all lines of `speak` in the file, whole, once, and in order, whatever stands around them?
// Prints one JSON object: lines that are lost, torn, and out of order (a repeated one is).
#include "record.h"
#include <sys/mman.h>
#include <sys/stat.h>

int main(int count, char **words) {
  if (count < 4) return 2;
  int file = open(words[1], O_RDONLY);
  struct stat facts;
  if (file < 0 || fstat(file, &facts)) fail(words[1]);
  long lines = atol(words[2]), found = 0, torn = 0, disordered = 0, next = 0;
  size_t size = (size_t)facts.st_size, body = (size_t)atoi(words[3]) - 11;
  char wanted[4096];
  for (size_t i = 0; i < body; i++) wanted[i] = (char)('a' + (i + 10) % 26);
  wanted[0] = ' ';
  char *text = size ? mmap(0, size, PROT_READ, MAP_PRIVATE, file, 0) : "", *end = text + size;
  for (char *line = text; line < end;) {
    char *line_end = memchr(line, '\n', (size_t)(end - line));
    if (!line_end) line_end = end;
    char *at = memmem(line, (size_t)(line_end - line), wanted, body);
    if (at && at - line >= 10) {
      long number = 0;
      for (char *digit = at - 10; digit < at; digit++) number = number * 10 + (*digit - '0');
      found++;
      if (number != next) disordered++;
      next = number + 1;
    } else if (memmem(line, (size_t)(line_end - line), "klmnopqrst", 10)) {
      torn++;
    }
    line = line_end + 1;
  }
  long lost = found < lines ? lines - found : 0;
  printf("{\"lost\": %ld, \"torn\": %ld, \"disordered\": %ld}\n", lost, torn, disordered);
}
