// DRIVE FOLDER COUNT PAUSE: has the processes of bench/symbols.mjs work once, one after the other, with PAUSE milliseconds in
// between, so that a tool can keep up.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  alarm(600);
  char path[4096], byte;
  snprintf(path, sizeof path, "%s/done", argv[1]);
  int done = open(path, O_RDWR);
  for (int i = 0; i < atoi(argv[2]); i++) {
    snprintf(path, sizeof path, "%s/go.%d", argv[1], i);
    int go = open(path, O_RDWR);
    if (done < 0 || go < 0 || write(go, "g", 1) != 1 || read(done, &byte, 1) != 1) return perror(path), 1;
    close(go);
    usleep(1000 * atoi(argv[3]));
  }
  return 0;
}
