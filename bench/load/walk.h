// What the functions of the libraries are given, and what each of them does.
#ifndef WALK_H
#define WALK_H
#ifdef __cplusplus
extern "C" {
#endif
struct walk;
typedef int (*step)(struct walk *);
struct walk {
  const step *functions;
  unsigned count, random;
  int depth;
  void (*leaf)(void);
};
static inline unsigned next(struct walk *w) {
  w->random = w->random * 1103515245u + 12345u;
  return (w->random >> 8) % w->count;
}
// The result is used behind the call, so that it is no jump.
#define STEP(w)                                                     \
  int result = 0;                                                   \
  if (--(w)->depth > 0) result = (w)->functions[next(w)](w);        \
  else (w)->leaf();                                                 \
  __asm__ volatile("" : "+r"(result)::"memory");                    \
  return result + 1;
#ifdef __cplusplus
}
#endif
#endif
