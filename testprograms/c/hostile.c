/* Does what profilers stumble over, in the way that it is told to, and says how it finds itself afterwards.
 *
 *   hostile WAY [FOLDER]
 *
 * After each way it allocates 37 blocks of 100 bytes, frees 20 of them, makes a child by fork that allocates 11 blocks, and
 * prints its descriptors, umask, folder, environment and what its child was. All of that is the same whoever looks on.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static void *kept[64];
static const char *folder = "/";

__attribute__((noinline)) static void allocate(void) {
    for (int i = 0; i < 37; i++) kept[i] = malloc(100);
    for (int i = 0; i < 20; i++) free(kept[i]);
}

__attribute__((noinline)) static void by_child(void) {
    for (int i = 0; i < 11; i++) kept[i] = malloc(50);
}

static int limit(int what, rlim_t value) {
    struct rlimit limit = {value, value};
    return setrlimit(what, &limit);
}

/* Every call passes but this one, which fails, or ends the process. */
static int forbid_by(int number, unsigned action) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int forbid(int number, unsigned error) { return forbid_by(number, SECCOMP_RET_ERRNO | error); }

static int plain(void) { return 0; }

static int close_all(void) {
    closefrom(3);
    return 0;
}

/* Over everything that somebody may have opened. */
static int dup_over(void) {
    for (int fd = 3; fd < 600; fd++)
        if (dup2(1, fd) != fd) return 1;
    return 0;
}

static int few_descriptors(void) { return limit(RLIMIT_NOFILE, 4); }
static int small_files(void) { return limit(RLIMIT_FSIZE, 4096); }
static int small_stack(void) { return limit(RLIMIT_STACK, 64 << 10); }

static int small_space(void) {
    if (limit(RLIMIT_AS, 1 << 30)) return 1;
    char *large = malloc(400 << 20);
    if (!large || malloc((size_t)1 << 30)) return 1;
    free(large);
    return errno != ENOMEM;
}

static int locked(void) { return mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT); }
static int locked_now(void) { return mlockall(MCL_CURRENT); }
static int in_chroot(void) { return chroot(folder) || chdir("/"); }
static int dropped(void) { return setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534); }
static int not_dumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
static int no_sockets(void) { return forbid(SYS_socket, EACCES); }
static int deadly_sockets(void) { return forbid_by(SYS_socket, SECCOMP_RET_KILL_PROCESS); }
static int no_memfd(void) { return forbid(SYS_memfd_create, ENOSYS); }
static int no_mmap(void) { return forbid(SYS_mmap, ENOMEM); }
static int no_mremap(void) { return forbid(SYS_mremap, EPERM); }

static int failing(void) {
    errno = 0;
    if (malloc(PTRDIFF_MAX) || errno != ENOMEM) return 1;
    errno = 0;
    volatile size_t most = SIZE_MAX;
    if (calloc(most, 2) || errno != ENOMEM) return 2;
    void *block = malloc(10);
    errno = 0;
    if (realloc(block, PTRDIFF_MAX) || errno != ENOMEM) return 3;
    free(block);
    void *place = NULL;
    if (posix_memalign(&place, 64, PTRDIFF_MAX) != ENOMEM) return 4;
    return aligned_alloc(64, PTRDIFF_MAX) != NULL;
}

static void *work(void *barrier) {
    free(malloc(70));
    if (barrier) pthread_barrier_wait(barrier);
    return NULL;
}

static int many_threads(void) {
    static pthread_t threads[1000];
    static pthread_barrier_t barrier;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 64 << 10);
    pthread_barrier_init(&barrier, NULL, 1000);
    for (int i = 0; i < 1000; i++)
        if (pthread_create(&threads[i], &attributes, work, &barrier)) return 1;
    for (int i = 0; i < 1000; i++) pthread_join(threads[i], NULL);
    return 0;
}

static int short_threads(void) {
    pthread_t threads[8];
    for (int i = 0; i < 1250; i++) {
        for (int j = 0; j < 8; j++)
            if (pthread_create(&threads[j], NULL, work, NULL)) return 1;
        for (int j = 0; j < 8; j++) pthread_join(threads[j], NULL);
    }
    return 0;
}

static int load_again_and_again(void) {
    for (int i = 0; i < 1000; i++) {
        void *library = dlopen("libBrokenLocale.so.1", RTLD_NOW);
        if (!library || dlclose(library)) return 1;
    }
    return 0;
}

static volatile sig_atomic_t signals;
static void handle(int number) {
    signals++;
    if (number == SIGUSR1) kill(getpid(), SIGUSR2);
}

/* Signals by hundreds while it allocates; the handler does what a handler may. */
static int storm(void) {
    signal(SIGUSR1, handle);
    signal(SIGUSR2, handle);
    for (int i = 0; i < 500; i++) {
        kill(getpid(), SIGUSR1);
        free(malloc(30));
    }
    return signals != 1000;
}

static const struct {
    const char *name;
    int (*go)(void);
} ways[] = {
    {"plain", plain}, {"close-all", close_all}, {"dup-over", dup_over}, {"few-descriptors", few_descriptors},
    {"small-files", small_files}, {"small-stack", small_stack}, {"small-space", small_space}, {"locked", locked},
    {"locked-now", locked_now}, {"chroot", in_chroot}, {"dropped", dropped}, {"not-dumpable", not_dumpable},
    {"no-sockets", no_sockets}, {"deadly-sockets", deadly_sockets}, {"no-memfd", no_memfd}, {"no-mmap", no_mmap}, {"no-mremap", no_mremap},
    {"failing", failing}, {"many-threads", many_threads}, {"short-threads", short_threads},
    {"load", load_again_and_again}, {"storm", storm},
};

/* Which descriptors are open, without opening one. */
static void print_state(const char *who) {
    mode_t mask = umask(0);
    char path[4096];
    umask(mask);
    printf("%s: descriptors", who);
    for (int fd = 0; fd < 1024; fd++)
        if (fcntl(fd, F_GETFD) >= 0) printf(" %d", fd);
    printf("; umask %o; in %s; dumpable %d;", (unsigned)mask, getcwd(path, sizeof path) ? path : "?",
        prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    for (int what = 0; what < RLIM_NLIMITS; what++) {
        struct rlimit limit;
        getrlimit(what, &limit);
        printf(" %llx/%llx", (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
    }
    for (char **entry = environ; *entry; entry++) printf(" %s", *entry);
    printf("\n");
}

int main(int argc, char **argv) {
    if (argc > 2) folder = argv[2];
    for (size_t i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++) {
        if (strcmp(argv[1], ways[i].name)) continue;
        int result = ways[i].go();
        if (result) {
            fprintf(stderr, "%s: %d, %m\n", argv[1], result);
            return 77;
        }
        allocate();
        print_state("parent");
        fflush(stdout);
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            by_child();
            print_state("child");
            fflush(stdout);
            _exit(getppid() == 1 ? 9 : 6);
        }
        if (waitpid(-1, &status, 0) != child) return 3;
        printf("child: %x; another: %d\n", (unsigned)status, (int)waitpid(-1, &status, WNOHANG));
        return 0;
    }
    return 2;
}
