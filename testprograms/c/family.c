/* Every function of the malloc family, its edges too. One function calls each, so that each can be told apart. */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER_INLINE __attribute__((noinline))

/* Half of all there is; the compiler is not to see through it. */
static volatile size_t half = SIZE_MAX / 2;
static unsigned long blocks, bytes, frees, failed;

/* Counts a block and writes to it, so that the call before is no tail call. */
static void *counted(void *block, size_t size) {
    assert(block);
    memset(block, 7, size);
    blocks += 1;
    bytes += size;
    return block;
}

static void refused(void *block) {
    assert(!block && errno == ENOMEM);
    failed += 1;
}

static void released(void *block) {
    free(block);
    frees += 1;
}

NEVER_INLINE static void by_malloc(void) {
    released(counted(malloc(100), 100));
    released(counted(malloc(0), 0));
    refused(malloc(half));
}

NEVER_INLINE static void by_calloc(void) {
    char *block = calloc(30, 7);
    for (int i = 0; i < 210; i++) assert(block[i] == 0);
    released(counted(block, 210));
    released(counted(calloc(0, 8), 0));
    refused(calloc(half, 3));
}

NEVER_INLINE static void by_realloc(void) {
    char *block = counted(realloc(NULL, 10), 10);
    for (size_t size = 20; size <= 20 << 16; size *= 2) {
        block = counted(realloc(block, size), size);
        frees += 1;
    }
    refused(realloc(block, half));
    block = counted(realloc(block, 5), 5);
    frees += 1;
    /* In this C library a realloc to nothing frees. */
    assert(!realloc(block, 0));
    frees += 1;
}

NEVER_INLINE static void by_reallocarray(void) {
    void *block = counted(reallocarray(NULL, 10, 12), 120);
    block = counted(reallocarray(block, 100, 12), 1200);
    frees += 1;
    refused(reallocarray(block, half, 3));
    released(block);
}

NEVER_INLINE static void by_posix_memalign(void) {
    void *block = NULL;
    assert(posix_memalign(&block, 256, 1000) == 0 && (uintptr_t)block % 256 == 0);
    released(counted(block, 1000));
    block = &blocks;
    assert(posix_memalign(&block, 3, 1000) == EINVAL && block == &blocks);
}

NEVER_INLINE static void by_aligned_alloc(void) {
    void *block = aligned_alloc(1024, 2048);
    assert((uintptr_t)block % 1024 == 0);
    released(counted(block, 2048));
}

NEVER_INLINE static void by_memalign(void) {
    void *block = memalign(64, 77);
    assert((uintptr_t)block % 64 == 0);
    released(counted(block, 77));
}

NEVER_INLINE static void by_valloc(void) {
    void *block = valloc(500);
    assert((uintptr_t)block % 4096 == 0);
    released(counted(block, 500));
}

NEVER_INLINE static void by_pvalloc(void) {
    /* Rounded up to whole pages by the C library; asked for were 5000. */
    void *block = pvalloc(5000);
    assert((uintptr_t)block % 4096 == 0 && malloc_usable_size(block) >= 8192);
    released(counted(block, 5000));
}

NEVER_INLINE static void by_usable_size(void) {
    void *block = malloc(33);
    size_t usable = malloc_usable_size(block);
    assert(usable >= 33);
    /* All of it may be written. */
    memset(block, 1, usable);
    released(counted(block, 33));
    assert(malloc_usable_size(NULL) == 0);
}

int main(void) {
    for (int round = 0; round < 10; round++) {
        by_malloc();
        by_calloc();
        by_realloc();
        by_reallocarray();
        by_posix_memalign();
        by_aligned_alloc();
        by_memalign();
        by_valloc();
        by_pvalloc();
        by_usable_size();
        free(NULL);
    }
    printf("family %lu blocks %lu bytes %lu frees %lu failed\n", blocks, bytes, frees, failed);
    return 0;
}
