// floor_watch [-r] BENCH FOLDER COMMAND...: the floor of a watcher, inotify and vfork and nothing else.
// Runs the command after a file below FOLDER was closed by a writer, renamed or removed, and once more for what came while
// it ran. -r: the command is a server, started at once, and stopped and started again after a change.
#include "record.h"
#include <dirent.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

static int events;

static void watch(const char *folder) {
  if (inotify_add_watch(events, folder, IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_ONLYDIR) < 0) fail(folder);
  DIR *entries = opendir(folder);
  if (!entries) return;
  for (struct dirent *entry; (entry = readdir(entries));) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    watch(path);
  }
  closedir(entries);
}

static void stop(pid_t child) {
  kill(child, SIGTERM);
  waitpid(child, 0, 0);
}

int main(int count, char **words) {
  int is_server = count > 1 && !strcmp(words[1], "-r");
  words += is_server;
  if (count - is_server < 4) return 2;
  events = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  watch(words[2]);
  sigset_t heard, none;
  sigemptyset(&none);
  sigemptyset(&heard);
  sigaddset(&heard, SIGCHLD);
  sigaddset(&heard, SIGINT);
  sigprocmask(SIG_BLOCK, &heard, 0);
  struct pollfd sources[2] = {{events, POLLIN, 0}, {signalfd(-1, &heard, SFD_NONBLOCK | SFD_CLOEXEC), POLLIN, 0}};
  pid_t child = is_server ? start(words + 3, &none) : 0;
  for (int is_changed = 0;;) {
    static char buffer[1 << 16];
    struct signalfd_siginfo told;
    poll(sources, 2, -1);
    while (read(events, buffer, sizeof buffer) > 0) is_changed = 1;
    while (read(sources[1].fd, &told, sizeof told) == sizeof told) {
      if (told.ssi_signo == SIGINT) {
        if (child) stop(child);
        return 0;
      }
      for (pid_t dead; (dead = waitpid(-1, 0, WNOHANG)) > 0;)
        if (dead == child) child = 0;
    }
    if (is_changed && is_server && child) stop(child), child = 0;
    if (is_changed && !child) is_changed = 0, child = start(words + 3, &none);
  }
}
