/* Coroutines with stacks of their own that allocate and give way, so that one thread's allocations come from many
   stacks in turn. Some of the stacks are blocks of malloc, some are mapped, and one coroutine starts another. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#define COROUTINES 6
#define ROUNDS 50
#define STACK_BYTES (64 << 10)

static ucontext_t scheduler, contexts[COROUTINES], inner;
static int finished;
static unsigned long sum;

__attribute__((noinline)) static unsigned char *fill(int size) {
    unsigned char *block = malloc((size_t)size);
    for (int i = 0; i < size; i++) block[i] = (unsigned char)i;
    return block;
}

/* Gives way at the bottom, with the frames above still there. */
__attribute__((noinline)) static int give_way(int me, int depth) {
    unsigned char *block = fill(10 + depth);
    int result = depth;
    if (depth == 0) {
        swapcontext(&contexts[me], &scheduler);
    } else {
        result += give_way(me, depth - 1);
    }
    sum += block[1];
    free(block);
    return result;
}

static void within(void) {
    free(fill(99));
}

static void coroutine(int me) {
    for (volatile int round = 0; round < ROUNDS; round++) {
        give_way(me, (me + round) % 7);
        if (me == 0 && round == 10) {
            unsigned char *stack = fill(STACK_BYTES);
            getcontext(&inner);
            inner.uc_stack.ss_sp = stack;
            inner.uc_stack.ss_size = STACK_BYTES;
            inner.uc_link = &contexts[me];
            makecontext(&inner, within, 0);
            swapcontext(&contexts[me], &inner);
            free(stack);
        }
    }
    finished += 1;
}

int main(void) {
    void *stacks[COROUTINES];
    for (int i = 0; i < COROUTINES; i++) {
        stacks[i] = i % 2 ? malloc(STACK_BYTES)
                          : mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        getcontext(&contexts[i]);
        contexts[i].uc_stack.ss_sp = stacks[i];
        contexts[i].uc_stack.ss_size = STACK_BYTES;
        contexts[i].uc_link = &scheduler;
        makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
    }
    /* Each gives way ROUNDS times and then ends. */
    for (int round = 0; round <= ROUNDS; round++)
        for (int i = 0; i < COROUTINES; i++) swapcontext(&scheduler, &contexts[i]);
    for (int i = 0; i < COROUTINES; i++) {
        if (i % 2) free(stacks[i]);
        else munmap(stacks[i], STACK_BYTES);
    }
    printf("coroutines %d finished, sum %lu\n", finished, sum);
    return finished != COROUTINES;
}
