/* Eight threads that do the same every time: each sorts lists of its own and hands a tenth of its blocks to the
   next thread, which frees them. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS 8
#define LISTS 200
#define HANDED (LISTS / 10)

static void *handed[THREADS][HANDED];
static unsigned long sums[THREADS];
static pthread_barrier_t all_handed;

static int compare(const void *a, const void *b) {
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static int *make_list(unsigned seed, int length) {
    int *list = malloc(length * sizeof *list);
    for (int i = 0; i < length; i++) list[i] = (seed = seed * 1103515245u + 12345u) >> 16;
    return list;
}

static void *work(void *argument) {
    long me = (long)argument;
    for (int i = 0; i < LISTS; i++) {
        int length = 10 + (i * 7 + (int)me) % 200;
        int *list = make_list((unsigned)(i + me), length);
        qsort(list, (size_t)length, sizeof *list, compare);
        list = realloc(list, (length / 2 + 1) * sizeof *list);
        sums[me] += (unsigned long)list[length / 2];
        if (i % 10 == 0) {
            handed[me][i / 10] = list;
        } else {
            free(list);
        }
    }
    pthread_barrier_wait(&all_handed);
    for (int i = 0; i < HANDED; i++) free(handed[(me + 1) % THREADS][i]);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    unsigned long sum = 0;
    pthread_barrier_init(&all_handed, NULL, THREADS);
    for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, work, (void *)i);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += sums[i];
    }
    pthread_barrier_destroy(&all_handed);
    printf("threads %d lists, sum %lu\n", THREADS * LISTS, sum);
    return 0;
}
