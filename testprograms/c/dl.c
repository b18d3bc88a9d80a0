/* Loads and unloads a module in a loop. Blocks of the module outlive it; a module may come back at its old address,
   and other code may come to lie where it was. The module, dlmod.so, lies beside the program. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROUNDS 30

int main(void) {
    char self[PATH_MAX] = {0}, path[PATH_MAX + 16];
    void *blocks[ROUNDS];
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 1;
    snprintf(path, sizeof path, "%s/dlmod.so", dirname(self));

    int moved = 0;
    void *first = NULL;
    for (int round = 0; round < ROUNDS; round++) {
        void *module = dlopen(path, RTLD_NOW);
        if (!module) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        void *(*work)(int) = (void *(*)(int))dlsym(module, "module_work");
        if (!first) first = (void *)work;
        moved += (void *)work != first;
        blocks[round] = work(round);
        dlclose(module);
        if (round == ROUNDS / 2) {
            /* Takes the place, so that the module must move. */
            void *page = (void *)((unsigned long)first & ~4095ul);
            if (mmap(page, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
                return 1;
        }
    }
    for (int round = 0; round < ROUNDS; round++) free(blocks[round]);
    printf("dl %d rounds %s\n", ROUNDS, moved ? "moved" : "never moved");
    return 0;
}
