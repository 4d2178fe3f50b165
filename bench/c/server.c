// server BENCH PORT: a server that can answer as soon as its `main` begins. Answers every request with its process id.
// Tells `began`, and `signalled` when it is told to end.
#include "record.h"
#include <arpa/inet.h>
#include <sys/socket.h>

static int bench;

static void leave(int signal_number) {
  tell(bench, "signalled", clock_now(), strsignal(signal_number));
  _exit(0);
}

int main(int count, char **words) {
  int64_t began = clock_now();
  if (count < 3) return 2;
  bench = pipe_to_bench(words[1]);
  signal(SIGTERM, leave);
  signal(SIGINT, leave);
  signal(SIGHUP, leave);
  signal(SIGPIPE, SIG_IGN);
  int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[2]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  // A tool that starts the new one before the old one is gone finds the port taken for a moment.
  while (bind(door, (struct sockaddr *)&address, sizeof address)) {
    if (errno != EADDRINUSE) fail("bind");
    usleep(200);
  }
  listen(door, 64);
  tell(bench, "began", began, "server -");
  char body[32], answer[256], request[4096];
  int length = snprintf(body, sizeof body, "%d\n", (int)getpid());
  length = snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", length, body);
  for (;;) {
    int client = accept4(door, 0, 0, SOCK_CLOEXEC);
    if (client < 0) continue;
    if (read(client, request, sizeof request) > 0) {
      ssize_t written = write(client, answer, (size_t)length);
      (void)written;
    }
    close(client);
  }
}
