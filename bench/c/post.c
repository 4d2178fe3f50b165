// post PORT PATH TOKEN CONNECTIONS TOTAL PREFIX: TOTAL posts of values that all differ, over connections that are kept; the
// next post of a connection follows its answer. Prints one JSON object: posts that were accepted (`ok`) and not (`other`),
// seconds, posts a second, latencies in microseconds. Gives up after 20 s.
#include "record.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static struct { int to; int64_t sent; } connections[256];
static char **words;
static long sent;

static void post(int i) {
  char body[256], request[1024];
  int length = snprintf(body, sizeof body, "{\"value\":\"%s-%ld\"}", words[6], sent++);
  length = snprintf(request, sizeof request,
                    "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nAuthorization: Bearer %s\r\n"
                    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
                    words[2], words[1], words[3], length, body);
  connections[i].sent = clock_now();
  if (write(connections[i].to, request, (size_t)length) != length) fail("post");
}

static int by_size(const void *one, const void *other) {
  int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;
  return (a > b) - (a < b);
}

int main(int count, char **arguments) {
  if (count < 7) return 2;
  words = arguments;
  int many = atoi(words[4]), epoll = epoll_create1(0), on = 1;
  long total = atol(words[5]), ok = 0, other = 0;
  if (many < 1 || many > 256 || total < 1) return 2;
  int64_t *took = malloc(sizeof *took * (size_t)total);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < many; i++) {
    int to = connections[i].to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(to, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(to, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {EPOLLIN, {.u32 = (uint32_t)i}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, to, &event);
  }
  int64_t began = clock_now();
  for (int i = 0; i < many && sent < total; i++) post(i);
  while (ok + other < total && clock_now() - began < 20000000000LL) {
    struct epoll_event ready[256];
    int n = epoll_wait(epoll, ready, 256, 1000);
    for (int k = 0; k < n; k++) {
      int i = (int)ready[k].data.u32;
      char answer[1024];
      ssize_t length = read(connections[i].to, answer, sizeof answer);
      if (length <= 0) fail("the server closed the connection");
      took[ok + other] = clock_now() - connections[i].sent;
      if (length > 12 && !memcmp(answer + 9, "204", 3)) ok++; else other++;
      if (sent < total) post(i);
    }
  }
  double seconds = (double)(clock_now() - began) / 1e9;
  long done = ok + other;
  if (!done) return 1;
  qsort(took, (size_t)done, sizeof *took, by_size);
  printf("{\"ok\": %ld, \"other\": %ld, \"seconds\": %.6f, \"per_s\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n", ok,
         other + total - done, seconds, (double)ok / seconds, (double)took[done / 2] / 1e3,
         (double)took[(long)((double)(done - 1) * 0.99)] / 1e3);
}
