// listen PORT PATH COUNT: COUNT browsers that wait for a reload. Prints `ready` when all are connected, then a line for each
// round in which all got `data: reload`: the instants of the first and of the last. Ends with its stdin.
#include "record.h"
#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { STDIN = 1 << 20 };

int main(int count, char **words) {
  if (count < 4) return 2;
  int wanted = atoi(words[3]), epoll = epoll_create1(0), connected = 0, told = 0;
  if (wanted < 1 || wanted > 256) return 2;
  int sockets[256];
  char is_connected[256] = {0}, request[512];
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAccept: text/event-stream\r\n\r\n", words[2], words[1]);
  for (int i = 0; i < wanted; i++) {
    sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(sockets[i], (struct sockaddr *)&address, sizeof address)) fail("connect");
    if (write(sockets[i], request, (size_t)length) != length) fail("get");
    struct epoll_event event = {EPOLLIN, {.u32 = (uint32_t)i}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, sockets[i], &event);
  }
  struct epoll_event input = {EPOLLIN, {.u32 = STDIN}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input);
  setvbuf(stdout, 0, _IOLBF, 0);
  for (int64_t first = 0;;) {
    struct epoll_event ready[256];
    int n = epoll_wait(epoll, ready, 256, -1);
    for (int k = 0; k < n; k++) {
      uint32_t i = ready[k].data.u32;
      if (i == STDIN) return 0;
      char text[4096];
      ssize_t got = read(sockets[i], text, sizeof text - 1);
      int64_t at = clock_now();
      if (got <= 0) return 1;
      text[got] = 0;
      if (!is_connected[i] && strstr(text, " 200 ")) {
        is_connected[i] = 1;
        if (++connected == wanted) puts("ready");
      }
      if (!strstr(text, "data: reload")) continue;
      if (told++ == 0) first = at;
      if (told == wanted) printf("%lld %lld\n", (long long)first, (long long)at), told = 0;
    }
  }
}
