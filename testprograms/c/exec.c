/* Executes another image in its own place, in every way there is.
 *
 *   exec VARIANT       executes this program as `image`, with more arguments than fit into registers
 *   exec image ...     prints its arguments and its environment, and allocates 37 blocks of 100 bytes
 *   exec failing       executes what is not there, in every way, and goes on
 *   exec children      makes children by fork, vfork and posix_spawn, which execute this program as `image`
 *   exec to PATH       executes PATH
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char self[4096];
static char *image[] = {"exec", "image", "a", "b", "c", "d", "e", "f", NULL};
static char *given[] = {"GIVEN=as it is", "PATH=/nowhere", "LAST=", NULL};
static void *kept[64];

__attribute__((noinline)) static void allocate(void) {
    for (int i = 0; i < 37; i++) kept[i] = malloc(100);
    for (int i = 0; i < 37; i++) free(kept[i]);
}

__attribute__((noinline)) static void allocate_before(void) {
    free(malloc(1000));
}

static int is(const char *variant, const char *name) {
    return strcmp(variant, name) == 0;
}

/* Executes `path`, found in PATH as `name`, in one way. Returns if that fails, or if the variant is not known. */
static int execute(const char *variant, const char *path, const char *name) {
    if (is(variant, "execve")) return execve(path, image, given);
    if (is(variant, "execve-without")) return execve(path, image, NULL);
    if (is(variant, "execv")) return execv(path, image);
    if (is(variant, "execvp")) return execvp(name, image);
    if (is(variant, "execvp-path")) return execvp(path, image);
    if (is(variant, "execvpe")) return execvpe(name, image, given);
    if (is(variant, "execl")) return execl(path, "exec", "image", "a", "b", "c", "d", "e", "f", NULL);
    if (is(variant, "execl-short")) return execl(path, "exec", "image", NULL);
    if (is(variant, "execl-five")) return execl(path, "exec", "image", "a", "b", NULL);
    if (is(variant, "execlp")) return execlp(name, "exec", "image", "a", "b", "c", "d", "e", "f", NULL);
    if (is(variant, "execle")) return execle(path, "exec", "image", "a", "b", "c", "d", "e", NULL, given);
    if (is(variant, "execle-short")) return execle(path, "exec", "image", NULL, given);
    if (is(variant, "fexecve")) return fexecve(open(path, O_RDONLY | O_CLOEXEC), image, given);
    if (is(variant, "execveat")) return execveat(AT_FDCWD, path, image, given, 0);
    if (is(variant, "execveat-empty"))
        return execveat(open(path, O_RDONLY | O_CLOEXEC), "", image, given, AT_EMPTY_PATH);
    errno = 0;
    return -2;
}

static void *in_thread(void *variant) {
    execute(variant, self, "exec");
    return variant;
}

static void on_signal(int number) {
    (void)number;
    execv(self, image);
}

static int other_ways(const char *variant) {
    if (is(variant, "thread")) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, in_thread, "execv")) return 3;
        pthread_join(thread, NULL);
    } else if (is(variant, "handler")) {
        static char stack[16384];
        stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK};
        sigaltstack(&alternate, NULL);
        sigaction(SIGUSR1, &action, NULL);
        raise(SIGUSR1);
    } else if (is(variant, "closed")) {
        closefrom(0);
        execv(self, image);
    } else if (is(variant, "no-environ")) {
        clearenv();
        execv(self, image);
    } else {
        execute(variant, self, "exec");
    }
    return 4;
}

static int failing(void) {
    const char *variants[] = {"execve", "execv", "execvp", "execvp-path", "execvpe", "execl", "execl-five", "execl-short",
                              "execlp", "execle", "execle-short", "execveat"};
    const char *bad[][2] = {{"/not/there", "not-there"}, {"/", "/"}, {"/dev/null", "/dev/null"}, {"/etc/passwd", "/etc/passwd"}};
    int expected[] = {ENOENT, EACCES, EACCES, EACCES};
    char **before = environ;
    char *first = environ[0], *copy = strdup(first);
    for (unsigned i = 0; i < sizeof variants / sizeof *variants; i++)
        for (int j = 0; j < 4; j++) {
            int result = execute(variants[i], bad[j][0], bad[j][1]);
            if (result != -1 || errno != expected[j]) {
                printf("%s of %s: %d, %s\n", variants[i], bad[j][0], result, strerror(errno));
                return 5;
            }
        }
    const char *volatile none = NULL;
    if (execve(none, image, environ) != -1 || errno != EFAULT) return 6;
    if (fexecve(-1, image, environ) != -1) return 7;
    if (environ != before || environ[0] != first || strcmp(first, copy)) return 8;
    free(copy);
    allocate();
    return 0;
}

static int wait_for(pid_t child) {
    int status = 0;
    return waitpid(child, &status, 0) == child && status == 0;
}

static int children(void) {
    char *quiet[] = {"exec", "quiet", NULL};
    pid_t child = fork();
    if (child == 0) { execv(self, quiet); _exit(1); }
    int good = wait_for(child);
    child = vfork();
    if (child == 0) { execv("/not/there", quiet); execv(self, quiet); _exit(1); }
    good += wait_for(child);
    child = vfork();
    if (child == 0) { execv("/not/there", quiet); _exit(0); }
    good += wait_for(child);
    good += posix_spawn(&child, self, NULL, NULL, quiet, environ) == 0 && wait_for(child);
    good += posix_spawnp(&child, "exec", NULL, NULL, quiet, environ) == 0 && wait_for(child);
    good += posix_spawn(&child, "/not/there", NULL, NULL, quiet, environ) == ENOENT;
    allocate();
    return good == 6 ? 0 : 9;
}

int main(int argc, char **argv) {
    if (argc < 2 || readlink("/proc/self/exe", self, sizeof self - 1) < 0) return 2;
    if (is(argv[1], "image")) {
        for (char **argument = argv; *argument; argument++) printf("%s\n", *argument);
        for (char **entry = environ; entry && *entry; entry++) printf("%s\n", *entry);
        allocate();
        return 0;
    }
    if (is(argv[1], "quiet")) return getenv("LD_PRELOAD") || getenv("MEMSCOPE_SOCKET");
    if (is(argv[1], "failing")) return failing();
    if (is(argv[1], "children")) return children();
    allocate_before();
    if (is(argv[1], "to")) {
        execv(argv[2], argv + 2);
        return 4;
    }
    return other_ways(argv[1]);
}
