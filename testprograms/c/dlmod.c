/* A module that dl.c loads and unloads. */
#include <stdlib.h>

static void *held;

__attribute__((noinline)) static void *inside(int size) {
    void *block = malloc((size_t)size);
    *(volatile char *)block = 1;
    return block;
}

/* Allocates and frees in the module, and returns a block that outlives it. */
void *module_work(int round) {
    for (int i = 0; i < 20; i++) free(inside(10 + i));
    held = inside(300);
    return inside(1000 + round);
}

__attribute__((destructor)) static void unloaded(void) {
    free(held);
}
