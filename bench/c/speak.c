// speak BENCH LINES LENGTH [stay]: that many numbered lines of LENGTH bytes to stdout, 64 KiB at a time. Tells `began` and
// `ended`. stay: waits for a signal then, so that nobody starts it again.
#include "record.h"

int main(int count, char **words) {
  if (count < 4) return 2;
  int bench = pipe_to_bench(words[1]), length = atoi(words[3]), block = 65536 / length;
  long lines = atol(words[2]);
  char *text = malloc((size_t)(block * length));
  for (int i = 0; i < block * length; i++) text[i] = (char)('a' + i % length % 26);
  for (int i = 0; i < block; i++) text[i * length + 10] = ' ', text[(i + 1) * length - 1] = '\n';
  tell(bench, "began", clock_now(), "speak -");
  for (long next = 0; next < lines;) {
    int many = lines - next < block ? (int)(lines - next) : block;
    for (int i = 0; i < many; i++, next++) {
      char *digit = text + i * length + 9;
      for (long left = next; digit >= text + i * length; left /= 10) *digit-- = (char)('0' + left % 10);
    }
    for (char *from = text, *end = text + many * length; from < end;) {
      ssize_t written = write(1, from, (size_t)(end - from));
      if (written < 0) fail("write");
      from += written;
    }
  }
  tell(bench, "ended", clock_now(), "speak");
  while (count > 4) pause();
}
