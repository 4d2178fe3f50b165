// ask PORT OLD-PID SECONDS: asks a server, ten times a millisecond, until another one than OLD-PID answers.
// Prints `INSTANT PID` of the first answer; exits with 1 when there was none in time.
#include "record.h"
#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>

int main(int count, char **words) {
  if (count < 4) return 2;
  prctl(PR_SET_TIMERSLACK, 1);
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int old = atoi(words[2]);
  for (int64_t end = clock_now() + atoi(words[3]) * 1000000000LL; clock_now() < end;) {
    static const char request[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    char answer[512];
    int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_usec = 300000};
    setsockopt(to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!connect(to, (struct sockaddr *)&address, sizeof address) && write(to, request, sizeof request - 1) > 0) {
      ssize_t length = read(to, answer, sizeof answer - 1);
      int64_t at = clock_now();
      answer[length > 0 ? length : 0] = 0;
      char *body = strstr(answer, "\r\n\r\n");
      int pid = body ? atoi(body + 4) : 0;
      if (pid && pid != old) {
        printf("%lld %d\n", (long long)at, pid);
        return 0;
      }
    }
    close(to);
    nanosleep(&(struct timespec){.tv_nsec = 100000}, 0);
  }
  return 1;
}
