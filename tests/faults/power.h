// The power model of shim.c: what is on the disk, as far as fsync and chance put it there.
//
// Every file below FAULT_POWER_FROM is followed by identity: which pages were written since its last sync. A sync copies
// those to its twin. Names (renames, unlinks) become durable in their order: with the sync of a folder or the first sync
// of a new file.

// A file below FAULT_POWER_FROM. It stays known by identity: `path` follows renames, `gone` ends it.
typedef struct File {
    char path[PATH_MAX];
    unsigned char *dirty;  // one byte a page: written since it was last made durable
    size_t pages;
    off_t shortest;        // the smallest size since the last sync, or -1
    int twin, source;      // descriptors, or -1
    int gone;
    struct File *next;
} File;

// A name that changed but may not be on disk yet. File systems keep these in order, so they become durable in order.
typedef struct Rename {
    char from[PATH_MAX], to[PATH_MAX];  // `to` is empty for an unlink
    struct Rename *next;
} Rename;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static File *files;
static Rename *renames, **renames_end = &renames;

static int chance(long percent) { return percent > 0 && (long)(rand_r(&dice) % 100) < percent; }

static void twin_path(const char *path, char *twin) {
    snprintf(twin, PATH_MAX, "%s%s", power_to, path + strlen(power_from));
    for (char *slash = twin + strlen(power_to) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        mkdir(twin, 0755);
        *slash = '/';
    }
}

static void names_reach_the_disk(void) {
    char from[PATH_MAX], to[PATH_MAX];
    while (renames) {
        Rename *it = renames;
        twin_path(it->from, from);
        if (it->to[0]) {
            twin_path(it->to, to);
            // Renamed, but its content was never synced: an empty file is what is found after a power cut.
            int fd = open(from, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
            if (fd >= 0) close(fd);
            syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
        } else {
            syscall(SYS_unlinkat, AT_FDCWD, from, 0);
        }
        renames = it->next;
        free(it);
    }
    renames_end = &renames;
}

static File *file_at(const char *path) {
    for (File *it = files; it; it = it->next)
        if (!it->gone && strcmp(it->path, path) == 0) return it;
    return NULL;
}

// The shadowed file behind a descriptor, or NULL.
static File *file_of(int fd) {
    char path[PATH_MAX];
    struct stat st;
    if (!path_of(fd, path) || !is_below(path, power_from) || fstat(fd, &st) || !S_ISREG(st.st_mode)) return NULL;
    if (ends_with(path, "-shm") || ends_with(path, " (deleted)")) return NULL;
    File *it = file_at(path);
    if (!it && (it = calloc(1, sizeof *it))) {
        snprintf(it->path, sizeof it->path, "%s", path);
        it->shortest = it->twin = it->source = -1;
        it->next = files;
        files = it;
    }
    return it;
}

// Our own way to read a file that was opened for writing only. Never closed: that would drop SQLite's locks on it.
static ssize_t read_page(int fd, File *file, char *page, off_t at) {
    ssize_t length = pread(fd, page, PAGE, at);
    if (length >= 0 || errno != EBADF) return length;
    if (file->source < 0) file->source = open(file->path, O_RDONLY | O_CLOEXEC);
    return pread(file->source, page, PAGE, at);
}

static void page_reaches_the_disk(int fd, File *file, size_t number, size_t bytes_max) {
    char page[PAGE];
    off_t at = (off_t)number * PAGE;
    ssize_t length = read_page(fd, file, page, at);
    if (length <= 0) return;
    if ((size_t)length > bytes_max) length = (ssize_t)bytes_max;
    syscall(SYS_pwrite64, file->twin, page, length, at);
}

// Whether the file's name was in the twin folder before; a file's first sync makes its name durable too.
static int open_twin(File *file) {
    if (file->twin >= 0) return 1;
    names_reach_the_disk();
    char twin[PATH_MAX];
    twin_path(file->path, twin);
    file->twin = open(twin, O_RDWR | O_CLOEXEC);
    if (file->twin >= 0) return 1;
    file->twin = open(twin, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    return 0;
}

static void everything_reaches_the_disk(int fd, File *file) {
    struct stat st;
    if (fstat(fd, &st)) return;
    int was_there = open_twin(file);
    if (file->shortest >= 0) syscall(SYS_ftruncate, file->twin, file->shortest);
    size_t pages = ((size_t)st.st_size + PAGE - 1) / PAGE;
    for (size_t n = 0; n < pages; n++)
        // What came by ways unseen (a copy inside the kernel) counts when the file is new.
        if (!was_there || (n < file->pages && file->dirty[n])) page_reaches_the_disk(fd, file, n, PAGE);
    syscall(SYS_ftruncate, file->twin, st.st_size);
    if (file->dirty) memset(file->dirty, 0, file->pages);
    file->shortest = -1;
}

static void wrote(int fd, off_t at, size_t length) {
    pthread_mutex_lock(&lock);
    File *file = file_of(fd);
    if (file && length > 0) {
        size_t first = (size_t)at / PAGE, last = ((size_t)at + length - 1) / PAGE;
        if (last >= file->pages) {
            size_t pages = (last + 1) * 2;
            unsigned char *grown = realloc(file->dirty, pages);
            if (!grown) abort();
            memset(grown + file->pages, 0, pages - file->pages);
            file->dirty = grown;
            file->pages = pages;
        }
        memset(file->dirty + first, 1, last - first + 1);
        if (fcntl(fd, F_GETFL) & O_DSYNC) {
            everything_reaches_the_disk(fd, file);
        } else {
            for (size_t n = first; n <= last; n++)
                if (chance(power_percent)) {
                    open_twin(file);
                    // One in four is torn: only its first sectors got there.
                    int sectors = rand_r(&dice) % 4 ? PAGE / SECTOR : rand_r(&dice) % (PAGE / SECTOR);
                    page_reaches_the_disk(fd, file, n, (size_t)sectors * SECTOR);
                }
        }
    }
    pthread_mutex_unlock(&lock);
}

static void truncated(int fd, off_t size) {
    pthread_mutex_lock(&lock);
    File *file = file_of(fd);
    if (file) {
        if (file->shortest < 0 || size < file->shortest) file->shortest = size;
        if (chance(power_percent)) {
            open_twin(file);
            syscall(SYS_ftruncate, file->twin, file->shortest);
            file->shortest = -1;
        }
    }
    pthread_mutex_unlock(&lock);
}

// `failed`: the kernel calls the pages clean although they are not on disk; no later sync brings them there.
static void synced(int fd, int failed) {
    pthread_mutex_lock(&lock);
    char path[PATH_MAX];
    struct stat st;
    File *file = file_of(fd);
    if (file && failed && file->dirty) memset(file->dirty, 0, file->pages);
    if (file && !failed) everything_reaches_the_disk(fd, file);
    if (!file && !failed && path_of(fd, path) && is_below(path, power_from) && !fstat(fd, &st) && S_ISDIR(st.st_mode))
        names_reach_the_disk();
    pthread_mutex_unlock(&lock);
}

// `to` is NULL for an unlink.
static void renamed(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    Rename *it = calloc(1, sizeof *it);
    if (!it) abort();
    snprintf(it->from, sizeof it->from, "%s", from);
    if (to) snprintf(it->to, sizeof it->to, "%s", to);
    *renames_end = it;
    renames_end = &it->next;
    File *replaced = file_at(to ? to : from), *moved = to ? file_at(from) : NULL;
    if (replaced) replaced->gone = 1;
    if (moved) snprintf(moved->path, sizeof moved->path, "%s", to);
    if (chance(power_percent)) names_reach_the_disk();
    pthread_mutex_unlock(&lock);
}

// The path with its folder resolved, when it is below FAULT_POWER_FROM. The last part may be gone already.
static int resolve(const char *path, char *resolved) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + (slash == path)) : 1, slash ? path : ".");
    if (!realpath(folder, resolved)) return 0;
    size_t length = strlen(resolved);
    snprintf(resolved + length, PATH_MAX - length, "/%s", slash ? slash + 1 : path);
    return is_below(resolved, power_from) && !ends_with(resolved, "-shm");
}
