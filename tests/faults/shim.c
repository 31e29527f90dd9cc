// Disk faults and power cuts for one process, by LD_PRELOAD. 64-bit Linux with glibc; tests/support/shim.rs compiles it.
//
//   FAULT_SYNC_SUFFIX    fsync and fdatasync of files whose path ends so fail with EIO:
//   FAULT_SYNC_FROM        from this call on (counted from 1 over these files), or
//   FAULT_SYNC_TRIGGER     once, when this file exists; the failing call removes it.
//   FAULT_FULL_DIR       while FAULT_FULL_TRIGGER exists, writes to files below this folder fail with ENOSPC;
//   FAULT_FULL_TRIGGER     with FAULT_FULL_GROWTH=1 only those that make a file longer, as on a real full disk.
//   FAULT_POWER_FROM     files below this folder have twins below FAULT_POWER_TO that hold only what a power cut
//   FAULT_POWER_TO         would leave; kill -9 the process, then the twins are the disk.
//   FAULT_POWER_PERCENT    the chance that an unsynced page, truncation or name reaches the twin as well.
//   FAULT_POWER_SEED       for those chances.
//   FAULT_ABORT_SUFFIX   a write to a file whose path ends so, which puts the 8-byte little-endian number
//   FAULT_ABORT_NUMBER     FAULT_ABORT_NUMBER at FAULT_ABORT_OFFSET (without it: begins with it), is done,
//   FAULT_ABORT_OFFSET     and then the process aborts.
//   FAULT_HANG_SUFFIX    while FAULT_HANG_TRIGGER exists, whoever reads a file whose path ends so waits, as on a disk
//   FAULT_HANG_TRIGGER     that does not answer.
//
// Folders must be given as realpath(3) gives them. What the shim cannot see: writes through mmap (SQLite's -shm is one;
// it is left out of the twin), and system calls that do not go through libc, such as those of rustix.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8, "offsets are passed to the kernel in one register");

enum { PAGE = 4096, SECTOR = 512 };

static const char *sync_suffix, *sync_trigger, *full_dir, *full_trigger, *power_from, *power_to, *abort_suffix,
    *hang_suffix, *hang_trigger;
static long sync_from, power_percent, abort_offset = -1;
static int full_growth, watching;
static uint64_t abort_number;
static unsigned dice;

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void read_environment(void) {
    sync_suffix = getenv("FAULT_SYNC_SUFFIX");
    sync_trigger = getenv("FAULT_SYNC_TRIGGER");
    sync_from = number("FAULT_SYNC_FROM", 0);
    full_dir = getenv("FAULT_FULL_DIR");
    full_trigger = getenv("FAULT_FULL_TRIGGER");
    full_growth = (int)number("FAULT_FULL_GROWTH", 0);
    power_from = getenv("FAULT_POWER_FROM");
    power_to = getenv("FAULT_POWER_TO");
    power_percent = number("FAULT_POWER_PERCENT", 0);
    dice = (unsigned)number("FAULT_POWER_SEED", 1);
    abort_suffix = getenv("FAULT_ABORT_SUFFIX");
    abort_number = (uint64_t)number("FAULT_ABORT_NUMBER", 0);
    abort_offset = number("FAULT_ABORT_OFFSET", -1);
    hang_suffix = getenv("FAULT_HANG_SUFFIX");
    hang_trigger = getenv("FAULT_HANG_TRIGGER");
    watching = sync_suffix || full_dir || power_from || abort_suffix;
}

// ---- Paths ----------------------------------------------------------------------------------------------------------

// The path of an open file as it is now, so that neither open, dup nor close need watching. Sockets and pipes have none.
static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return path[0] == '/';
}

static int ends_with(const char *path, const char *suffix) {
    size_t a = strlen(path), b = strlen(suffix);
    return a >= b && strcmp(path + a - b, suffix) == 0;
}

static int is_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

#include "power.h"

// ---- What the process calls -----------------------------------------------------------------------------------------

static int disk_is_full(int fd, off_t end) {
    char path[PATH_MAX];
    struct stat st;
    if (!full_dir || !full_trigger || access(full_trigger, F_OK)) return 0;
    if (!path_of(fd, path) || !is_below(path, full_dir)) return 0;
    return !full_growth || fstat(fd, &st) || end > st.st_size;
}

static void abort_if_named(int fd, const char *bytes, size_t length, off_t at) {
    char path[PATH_MAX];
    if (!abort_suffix || length < 8 || !path_of(fd, path) || !ends_with(path, abort_suffix)) return;
    off_t n = abort_offset >= 0 ? abort_offset - at : 0;
    if (n < 0 || n + 8 > (off_t)length) return;
    if (memcmp(bytes + n, &abort_number, 8) == 0) abort();
}

static ssize_t after_write(int fd, const char *bytes, ssize_t done, off_t at) {
    if (done <= 0) return done;
    int saved = errno;
    if (power_from) wrote(fd, at, (size_t)done);
    if (bytes) abort_if_named(fd, bytes, (size_t)done, at);
    errno = saved;
    return done;
}

static size_t length_of(const struct iovec *parts, int count) {
    size_t length = 0;
    for (int n = 0; n < count; n++) length += parts[n].iov_len;
    return length;
}

static int fail(int error) {
    errno = error;
    return -1;
}

// Where a write without an offset will go, or went: -1 for sockets and pipes.
static off_t position(int fd, size_t length) {
    struct stat st;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) return -1;
    return ((fcntl(fd, F_GETFL) & O_APPEND) ? st.st_size : lseek(fd, 0, SEEK_CUR)) + (off_t)length;
}

ssize_t read(int fd, void *bytes, size_t length) {
    char path[PATH_MAX];
    if (hang_suffix && hang_trigger && path_of(fd, path) && ends_with(path, hang_suffix))
        while (access(hang_trigger, F_OK) == 0) usleep(20 * 1000);
    return syscall(SYS_read, fd, bytes, length);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    if (!watching) return syscall(SYS_pwrite64, fd, bytes, length, at);
    if (disk_is_full(fd, at + (off_t)length)) return fail(ENOSPC);
    return after_write(fd, bytes, syscall(SYS_pwrite64, fd, bytes, length, at), at);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    if (watching && disk_is_full(fd, at + (off_t)length_of(parts, count))) return fail(ENOSPC);
    ssize_t done = syscall(SYS_pwritev, fd, parts, count, at, 0);
    return watching ? after_write(fd, NULL, done, at) : done;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return pwritev64(fd, parts, count, at); }

ssize_t write(int fd, const void *bytes, size_t length) {
    off_t end = watching ? position(fd, length) : -1;
    if (end < 0) return syscall(SYS_write, fd, bytes, length);
    if (disk_is_full(fd, end)) return fail(ENOSPC);
    ssize_t done = syscall(SYS_write, fd, bytes, length);
    return after_write(fd, bytes, done, end - (off_t)length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    size_t length = length_of(parts, count);
    off_t end = watching ? position(fd, length) : -1;
    if (end < 0) return syscall(SYS_writev, fd, parts, count);
    if (disk_is_full(fd, end)) return fail(ENOSPC);
    ssize_t done = syscall(SYS_writev, fd, parts, count);
    return after_write(fd, NULL, done, end - (off_t)length);
}

int ftruncate64(int fd, off64_t size) {
    if (watching && disk_is_full(fd, size)) return fail(ENOSPC);
    int result = (int)syscall(SYS_ftruncate, fd, size);
    if (result == 0 && power_from) truncated(fd, size);
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fallocate64(int fd, int mode, off64_t at, off64_t length) {
    if (watching && disk_is_full(fd, at + length)) return fail(ENOSPC);
    return (int)syscall(SYS_fallocate, fd, mode, at, length);
}

int fallocate(int fd, int mode, off_t at, off_t length) { return fallocate64(fd, mode, at, length); }

// Answers the error itself instead of errno.
int posix_fallocate64(int fd, off64_t at, off64_t length) { return fallocate64(fd, 0, at, length) ? errno : 0; }

int posix_fallocate(int fd, off_t at, off_t length) { return posix_fallocate64(fd, at, length); }

static int sync_fails(int fd) {
    static long calls;
    char path[PATH_MAX];
    if (!sync_suffix || !path_of(fd, path) || !ends_with(path, sync_suffix)) return 0;
    if (sync_trigger && syscall(SYS_unlinkat, AT_FDCWD, sync_trigger, 0) == 0) return 1;
    return sync_from > 0 && __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) >= sync_from;
}

static int sync_file(int fd, long call) {
    int failed = watching && sync_fails(fd);
    if (power_from) {
        // The twin is the disk; that of the machine need not be waited for.
        synced(fd, failed);
        return failed ? fail(EIO) : 0;
    }
    return failed ? fail(EIO) : (int)syscall(call, fd);
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }

int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

int rename(const char *from, const char *to) {
    char a[PATH_MAX], b[PATH_MAX];
    int result = (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (result == 0 && power_from && resolve(from, a) && resolve(to, b)) renamed(a, b);
    return result;
}

int unlink(const char *path) {
    char a[PATH_MAX];
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (result == 0 && power_from && resolve(path, a)) renamed(a, NULL);
    return result;
}
