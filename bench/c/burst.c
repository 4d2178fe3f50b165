// burst FOLDER COUNT WORD write|checkout MILLISECONDS: gives COUNT files new content, spread over MILLISECONDS (0: as fast
// as it goes). write: in place, as a formatter does. checkout: removed and written anew, as git does.
// Prints the instants of the begin and of the end.
#include "record.h"

int main(int count, char **words) {
  if (count < 6) return 2;
  long files = atol(words[2]);
  int is_checkout = words[4][0] == 'c';
  int64_t spread = atoll(words[5]) * 1000000, began = clock_now();
  size_t length = strlen(words[3]);
  for (long i = 0; i < files; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/d%03ld/f%05ld.txt", words[1], i / 100, i);
    if (is_checkout) unlink(path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 || write(file, words[3], length) != (ssize_t)length) fail(path);
    close(file);
    int64_t ahead = began + spread * i / files - clock_now();
    // Pauses of a few milliseconds: a sleep for each file would take longer than the file.
    if (ahead > 2000000) nanosleep(&(struct timespec){.tv_nsec = ahead}, 0);
  }
  printf("%lld %lld\n", (long long)began, (long long)clock_now());
}
