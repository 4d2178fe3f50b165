// floor_events BENCH STATE [COMMAND...]: the floor of an event server. One thread, epoll, no parsing to speak
// of. POST: the value is in the file STATE (one file for all posts that came together), the command is started, 204.
// GET: a stream that gets `data: reload` with every POST. Tells `port NUMBER`.
#include "record.h"
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static const char *state;
static char value[256];
static int streams[1024], stream_count;

static void save(void) {
  char path[4096], text[320];
  snprintf(path, sizeof path, "%s.new", state);
  int length = snprintf(text, sizeof text, "{\n  \"value\": \"%s\"\n}\n", value);
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0 || write(file, text, (size_t)length) != length) fail(path);
  close(file);
  rename(path, state);
}

static void send_all(int to, const char *text) {
  ssize_t written = write(to, text, strlen(text));
  (void)written;  // a client that is gone is noticed by read
}

static void listen_at(int epoll, int socket_) {
  struct epoll_event event = {EPOLLIN, {.fd = socket_}};
  epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event);
}

static void forget(int socket_) {
  for (int i = 0; i < stream_count; i++)
    if (streams[i] == socket_) streams[i--] = streams[--stream_count];
  close(socket_);
}

int main(int count, char **words) {
  if (count < 3) return 2;
  state = words[2];
  char port[16];
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), epoll = epoll_create1(EPOLL_CLOEXEC), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(door, (struct sockaddr *)&address, size) || listen(door, 256)) fail("listen");
  getsockname(door, (struct sockaddr *)&address, &size);
  snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
  listen_at(epoll, door);
  tell(pipe_to_bench(words[1]), "port", clock_now(), port);
  for (;;) {
    struct epoll_event ready[128];
    int many = epoll_wait(epoll, ready, 128, -1), posted[128], posts = 0;
    for (int i = 0; i < many; i++) {
      int client = ready[i].data.fd;
      if (client == door) {
        for (int new; (new = accept4(door, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0; listen_at(epoll, new))
          setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        continue;
      }
      char request[4096];
      ssize_t length = read(client, request, sizeof request - 1);
      if (length <= 0) {
        if (length == 0 || errno != EAGAIN) forget(client);
        continue;
      }
      request[length] = 0;
      if (request[0] == 'G') {
        send_all(client, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
        if (stream_count < 1024) streams[stream_count++] = client;
        continue;
      }
      char *found = strstr(request, "{\"value\":\"");
      if (found) sscanf(found + 10, "%255[^\"]", value);
      posted[posts++] = client;
    }
    if (posts) save();
    for (int i = 0; i < posts; i++) {
      for (int j = 0; j < stream_count; j++) send_all(streams[j], "data: reload\n\n");
      if (count > 3) start(words + 3, 0);
      send_all(posted[i], "HTTP/1.1 204 No Content\r\n\r\n");
    }
  }
}
