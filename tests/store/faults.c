/* A disk that keeps a diary, or fails on purpose: preloaded into a process, it stands before the C library.

   Watched is what lies below $TERCET_FAULTS_FOLDER (an absolute path without links); everything else passes.

   With $TERCET_FAULTS_LOG, every change is appended to that file in the order it happened, as a header of 32 bytes,
   a name (relative to the folder) and data:
     d folder there or made    c file made      u removed      r renamed (data: the new name)
     w data at an offset       t cut to a size  s file or folder synced     m what tercet_mark was given

   tercet_fail makes calls fail from inside the process; tercet_stop ends that. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITE = 1, SYNC = 2, CUT = 4, OPEN = 8, RENAME = 16, REMOVE = 32, MKDIR = 64, READ = 128 };
enum { FILES = 65536 };

struct header {
  char kind, unused[7];
  uint64_t inode;
  int64_t offset;
  uint32_t name, data;
};

static char folder[PATH_MAX];
static size_t folder_length;
static int diary = -1;
static unsigned char watched[FILES];
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int fail_kinds, fail_error, fail_onwards;
static long fail_at, calls, failed;

#define REAL(result, name, ...) \
  static result (*real_##name)(__VA_ARGS__); \
  static void find_##name(void) { if (!real_##name) real_##name = dlsym(RTLD_NEXT, #name); }

REAL(int, open64, const char *, int, ...)
REAL(int, openat64, int, const char *, int, ...)
REAL(int, close, int)
REAL(ssize_t, write, int, const void *, size_t)
REAL(ssize_t, writev, int, const struct iovec *, int)
REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
REAL(ssize_t, read, int, void *, size_t)
REAL(ssize_t, pread64, int, void *, size_t, off64_t)
REAL(int, ftruncate64, int, off64_t)
REAL(int, fallocate64, int, int, off64_t, off64_t)
REAL(int, fsync, int)
REAL(int, fdatasync, int)
REAL(int, renameat2, int, const char *, int, const char *, unsigned)
REAL(int, unlinkat, int, const char *, int)
REAL(int, mkdirat, int, const char *, mode_t)

static void put(char kind, uint64_t inode, int64_t offset, const char *name, const void *data, size_t length) {
  if (diary < 0) return;
  struct header head = {kind, {0}, inode, offset, (uint32_t)strlen(name), (uint32_t)length};
  struct iovec parts[3] = {{&head, sizeof head}, {(void *)name, head.name}, {(void *)data, length}};
  find_writev();
  if (real_writev(diary, parts, 3) != (ssize_t)(sizeof head + head.name + length)) abort();
}

static uint64_t inode_of(int file) {
  struct stat64 about;
  return fstat64(file, &about) ? 0 : about.st_ino;
}

__attribute__((constructor)) static void start(void) {
  const char *watch = getenv("TERCET_FAULTS_FOLDER"), *log = getenv("TERCET_FAULTS_LOG");
  struct stat64 about;
  if (!watch || strlen(watch) >= sizeof folder) return;
  strcpy(folder, watch);
  folder_length = strlen(folder);
  find_open64();
  if (log && *log) {
    diary = real_open64(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (diary < 0 || stat64(folder, &about)) abort();
    put('d', about.st_ino, 0, "", "", 0);
  }
}

/* The path below the folder, or NULL for one that is not watched. */
static const char *below(int at, const char *path, char *whole) {
  if (!folder_length) return NULL;
  if (path[0] == '/') {
    if (strlen(path) >= PATH_MAX) return NULL;
    strcpy(whole, path);
  } else {
    char link[64];
    snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
    ssize_t length = readlink(link, whole, PATH_MAX - 1);
    if (length < 0 || length + strlen(path) + 2 > PATH_MAX) return NULL;
    whole[length] = '/';
    strcpy(whole + length + 1, path);
  }
  if (strncmp(whole, folder, folder_length)) return NULL;
  if (!whole[folder_length]) return "";
  return whole[folder_length] == '/' ? whole + folder_length + 1 : NULL;
}

static int is_watched(int file) { return file >= 0 && file < FILES && watched[file]; }

/* Whether this call is to fail; a full disk only refuses what needs room. */
static int fails(int kind, int needs_room) {
  if (!(fail_kinds & kind) || (fail_error == ENOSPC && !needs_room)) return 0;
  calls++;
  if (!fail_at || (fail_onwards ? calls < fail_at : calls != fail_at)) return 0;
  failed++;
  errno = fail_error;
  return 1;
}

static int grows(int file, int64_t end) {
  struct stat64 about;
  return fail_error == ENOSPC && !fstat64(file, &about) && end > about.st_size;
}

/* What tests call. */

void tercet_mark(const char *data, size_t length) {
  pthread_mutex_lock(&one_at_a_time);
  put('m', 0, 0, "", data, length);
  pthread_mutex_unlock(&one_at_a_time);
}

void tercet_fail(int kinds, long at, int error, int onwards) {
  pthread_mutex_lock(&one_at_a_time);
  calls = failed = 0, fail_kinds = kinds, fail_at = at, fail_error = error, fail_onwards = onwards;
  pthread_mutex_unlock(&one_at_a_time);
}

long tercet_failed(void) { return failed; }

long tercet_stop(void) {
  pthread_mutex_lock(&one_at_a_time);
  fail_kinds = 0;
  pthread_mutex_unlock(&one_at_a_time);
  return calls;
}

/* Opening and closing. */

static int opened(int at, const char *path, int flags, mode_t mode) {
  char whole[PATH_MAX];
  struct stat64 about;
  find_openat64();
  const char *name = below(at, path, whole);
  if (!name) {
    int plain = real_openat64(at, path, flags, mode);
    if (plain >= 0 && plain < FILES) watched[plain] = 0;
    return plain;
  }
  pthread_mutex_lock(&one_at_a_time);
  int makes = (flags & O_CREAT) && lstat64(whole, &about), file = -1;
  if (!fails(OPEN, makes)) {
    file = real_openat64(at, path, flags, mode);
    if (file >= FILES) abort();
    if (file >= 0) {
      watched[file] = 1;
      if (makes) put('c', inode_of(file), 0, name, "", 0);
      else if ((flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY) put('t', inode_of(file), 0, "", "", 0);
    }
  }
  pthread_mutex_unlock(&one_at_a_time);
  return file;
}

#define MODE(flags) \
  mode_t mode = 0; \
  if ((flags) & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))) { \
    va_list rest; \
    va_start(rest, flags); \
    mode = va_arg(rest, mode_t); \
    va_end(rest); \
  }

int open64(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int open(const char *path, int flags, ...) { MODE(flags) return opened(AT_FDCWD, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(at, path, flags, mode); }
int creat64(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat(const char *path, mode_t mode) { return creat64(path, mode); }

int close(int file) {
  find_close();
  if (file >= 0 && file < FILES) watched[file] = 0;
  return real_close(file);
}

/* Reading. */

ssize_t read(int file, void *data, size_t length) {
  find_read();
  if (is_watched(file) && fails(READ, 0)) return -1;
  return real_read(file, data, length);
}

ssize_t pread64(int file, void *data, size_t length, off64_t offset) {
  find_pread64();
  if (is_watched(file) && fails(READ, 0)) return -1;
  return real_pread64(file, data, length, offset);
}
ssize_t pread(int file, void *data, size_t length, off_t offset) { return pread64(file, data, length, offset); }

/* Writing: a disk that becomes full takes a part of the write first. */

ssize_t pwrite64(int file, const void *data, size_t length, off64_t offset) {
  find_pwrite64();
  if (!is_watched(file)) return real_pwrite64(file, data, length, offset);
  pthread_mutex_lock(&one_at_a_time);
  ssize_t done = -1;
  if (!fails(WRITE, grows(file, offset + (int64_t)length))) done = real_pwrite64(file, data, length, offset);
  else if (fail_error == ENOSPC && failed == 1 && length > 1) done = real_pwrite64(file, data, length / 2, offset);
  if (done >= 0) put('w', inode_of(file), offset, "", data, (size_t)done);
  pthread_mutex_unlock(&one_at_a_time);
  return done;
}
ssize_t pwrite(int file, const void *data, size_t length, off_t offset) { return pwrite64(file, data, length, offset); }

ssize_t write(int file, const void *data, size_t length) {
  find_write();
  if (!is_watched(file)) return real_write(file, data, length);
  int64_t place = lseek64(file, 0, fcntl(file, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR);
  ssize_t done = pwrite64(file, data, length, place);
  if (done > 0) lseek64(file, place + done, SEEK_SET);
  return done;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  find_writev();
  if (!is_watched(file)) return real_writev(file, parts, count);
  ssize_t whole = 0;
  for (int part = 0; part < count; part++) {
    ssize_t done = write(file, parts[part].iov_base, parts[part].iov_len);
    if (done < 0) return whole ? whole : -1;
    whole += done;
    if ((size_t)done < parts[part].iov_len) break;
  }
  return whole;
}

int ftruncate64(int file, off64_t size) {
  find_ftruncate64();
  if (!is_watched(file)) return real_ftruncate64(file, size);
  pthread_mutex_lock(&one_at_a_time);
  int answer = fails(CUT, 0) ? -1 : real_ftruncate64(file, size);
  if (!answer) put('t', inode_of(file), size, "", "", 0);
  pthread_mutex_unlock(&one_at_a_time);
  return answer;
}
int ftruncate(int file, off_t size) { return ftruncate64(file, size); }

int truncate64(const char *path, off64_t size) {
  int file = open64(path, O_WRONLY), answer = file < 0 ? -1 : ftruncate64(file, size);
  if (file >= 0) close(file);
  return answer;
}
int truncate(const char *path, off_t size) { return truncate64(path, size); }

/* Nothing here reserves room in another way; whoever begins to must be told that the diary does not know it. */
int fallocate64(int file, int mode, off64_t offset, off64_t length) {
  find_fallocate64();
  if (!is_watched(file)) return real_fallocate64(file, mode, offset, length);
  errno = EOPNOTSUPP;
  return -1;
}
int fallocate(int file, int mode, off_t offset, off_t length) { return fallocate64(file, mode, offset, length); }

/* Syncing. */

static int synced(int file, int (*real)(int)) {
  if (!is_watched(file)) return real(file);
  pthread_mutex_lock(&one_at_a_time);
  int answer = fails(SYNC, 0) ? -1 : 0; /* the real disk is left alone: what counts is that it was asked for */
  if (!answer) put('s', inode_of(file), 0, "", "", 0);
  pthread_mutex_unlock(&one_at_a_time);
  return answer;
}
int fsync(int file) { find_fsync(); return synced(file, real_fsync); }
int fdatasync(int file) { find_fdatasync(); return synced(file, real_fdatasync); }

/* Names. */

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
  char from_whole[PATH_MAX], to_whole[PATH_MAX];
  find_renameat2();
  const char *from_name = below(from_at, from, from_whole), *to_name = below(to_at, to, to_whole);
  if (!from_name && !to_name) return real_renameat2(from_at, from, to_at, to, flags);
  if (!from_name || !to_name) abort(); /* in or out of the folder: the diary could not tell of it */
  pthread_mutex_lock(&one_at_a_time);
  int answer = fails(RENAME, 0) ? -1 : real_renameat2(from_at, from, to_at, to, flags);
  if (!answer) put('r', 0, 0, from_name, to_name, strlen(to_name));
  pthread_mutex_unlock(&one_at_a_time);
  return answer;
}
int renameat(int from_at, const char *from, int to_at, const char *to) {
  return renameat2(from_at, from, to_at, to, 0);
}
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int at, const char *path, int flags) {
  char whole[PATH_MAX];
  find_unlinkat();
  const char *name = below(at, path, whole);
  if (!name) return real_unlinkat(at, path, flags);
  pthread_mutex_lock(&one_at_a_time);
  int answer = fails(REMOVE, 0) ? -1 : real_unlinkat(at, path, flags);
  if (!answer) put('u', 0, 0, name, "", 0);
  pthread_mutex_unlock(&one_at_a_time);
  return answer;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  struct stat64 about;
  return unlinkat(AT_FDCWD, path, !lstat64(path, &about) && S_ISDIR(about.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int at, const char *path, mode_t mode) {
  char whole[PATH_MAX];
  struct stat64 about;
  find_mkdirat();
  const char *name = below(at, path, whole);
  if (!name) return real_mkdirat(at, path, mode);
  pthread_mutex_lock(&one_at_a_time);
  int answer = fails(MKDIR, lstat64(whole, &about)) ? -1 : real_mkdirat(at, path, mode);
  if (!answer) put('d', stat64(whole, &about) ? 0 : about.st_ino, 0, name, "", 0);
  pthread_mutex_unlock(&one_at_a_time);
  return answer;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
