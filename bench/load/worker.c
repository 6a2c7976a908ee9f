// A process of bench/symbols.mjs: WORKER GO DONE STACKS DEPTH LIBRARY...
// For each byte in the fifo GO it calls getppid(2) from STACKS different stacks of functions of its libraries, DEPTH deep,
// and writes a byte to DONE. It ends after half an hour at the latest.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "walk.h"

static void leaf(void) { syscall(SYS_getppid); }

int main(int argc, char **argv) {
  if (argc < 6) return 2;
  alarm(1800);
  int stacks = atoi(argv[3]), depth = atoi(argv[4]);
  struct walk walk = {.leaf = leaf, .random = (unsigned)getpid()};
  static step functions[65536];
  for (int i = 5; i < argc; i++) {
    void *library = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
    step *table = library ? dlsym(library, "table") : NULL;
    if (!table) return fprintf(stderr, "%s\n", dlerror()), 1;
    for (; *table && walk.count < 65536; table++) functions[walk.count++] = *table;
  }
  walk.functions = functions;
  int go = open(argv[1], O_RDWR), done = open(argv[2], O_RDWR);
  if (go < 0 || done < 0) return perror("fifo"), 1;
  if (write(done, "r", 1) != 1) return 1;
  for (char byte; read(go, &byte, 1) == 1;) {
    for (int i = 0; i < stacks; i++) {
      walk.depth = depth;
      functions[next(&walk)](&walk);
    }
    if (write(done, "d", 1) != 1) return 1;
  }
  return 0;
}
