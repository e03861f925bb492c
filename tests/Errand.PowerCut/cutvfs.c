/*
** errand-cut: a SQLite file system layer that keeps a journal of what is asked of the disk.
**
** It lies on the default one and passes everything on but syncs, so a process sees its files as ever. Beside that it
** writes down, in order, each write, sync, truncate, creation and deletion, with their bytes, and the marks that the program sets
** between them. From any prefix of that journal one can tell what a disk may hold when the power goes at that moment:
** what was synced for certain, and of the rest nothing, everything, or any part. Disk.cs does so.
**
** It also fails operations on demand, as a bad or full disk does, and ends its process at a chosen one.
**
** It needs no header of SQLite: the structures below are part of its stable interface
** (https://www.sqlite.org/c3ref/vfs.html), and the two functions that are called are handed over by the program.
*/
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  SQLITE_OK = 0,
  SQLITE_ERROR = 1,
  SQLITE_ACCESS_EXISTS = 0,
  SQLITE_OPEN_CREATE = 0x00000004,
  SQLITE_OPEN_MAIN_JOURNAL = 0x00000800,
  SQLITE_OPEN_WAL = 0x00080000
};

typedef struct sqlite3_file sqlite3_file;
typedef struct sqlite3_vfs sqlite3_vfs;
typedef struct sqlite3_io_methods sqlite3_io_methods;

struct sqlite3_file {
  const sqlite3_io_methods *pMethods;
};

struct sqlite3_io_methods {
  int iVersion;
  int (*xClose)(sqlite3_file *);
  int (*xRead)(sqlite3_file *, void *, int, int64_t);
  int (*xWrite)(sqlite3_file *, const void *, int, int64_t);
  int (*xTruncate)(sqlite3_file *, int64_t);
  int (*xSync)(sqlite3_file *, int);
  int (*xFileSize)(sqlite3_file *, int64_t *);
  int (*xLock)(sqlite3_file *, int);
  int (*xUnlock)(sqlite3_file *, int);
  int (*xCheckReservedLock)(sqlite3_file *, int *);
  int (*xFileControl)(sqlite3_file *, int, void *);
  int (*xSectorSize)(sqlite3_file *);
  int (*xDeviceCharacteristics)(sqlite3_file *);
  int (*xShmMap)(sqlite3_file *, int, int, int, void volatile **);
  int (*xShmLock)(sqlite3_file *, int, int, int);
  void (*xShmBarrier)(sqlite3_file *);
  int (*xShmUnmap)(sqlite3_file *, int);
};

struct sqlite3_vfs {
  int iVersion;
  int szOsFile;
  int mxPathname;
  sqlite3_vfs *pNext;
  const char *zName;
  void *pAppData;
  int (*xOpen)(sqlite3_vfs *, const char *, sqlite3_file *, int, int *);
  int (*xDelete)(sqlite3_vfs *, const char *, int);
  int (*xAccess)(sqlite3_vfs *, const char *, int, int *);
  void *others[13]; /* Taken over as they are. */
};

/* Which operation: the kind of a journal's record, and of a fault. 100 and above are the program's own marks. */
enum { WRITE, SYNC, TRUNCATE, FAILED_SYNC, CREATE, DELETE, SYNC_FOLDER, KINDS };

typedef struct {
  int32_t kind;
  int32_t file; /* Which file: a new number for each creation, as for an inode. */
  int64_t at;   /* The offset of a write, the size of a truncate, the value of a mark. */
  int64_t size; /* The bytes that follow: what was written, or the path of what was created. */
} cut_record_t;

typedef struct {
  sqlite3_file base;
  sqlite3_file *real;
  int file;        /* Its number in the journal. */
  int syncsFolder; /* The default layer syncs the folder at the first sync of a journal or log. */
} cut_file_t;

typedef struct known_file {
  struct known_file *next;
  int number;
  char path[];
} known_file_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* Guards all that follows. */
static sqlite3_vfs *below;
static sqlite3_vfs layer;
static sqlite3_io_methods methods;
static int journal = -1;
static known_file_t *known;
static int lastNumber;
static int64_t counts[KINDS];
static int64_t operations, lastOperation;
static struct {
  int64_t from, to;
  int code;
} faults[KINDS];

static void record(int kind, int file, int64_t at, const void *bytes, int64_t size) {
  cut_record_t head = {kind, file, at, size};
  if (journal < 0) return;
  if (write(journal, &head, sizeof head) != sizeof head || (size && write(journal, bytes, size) != size))
    abort(); /* A journal with holes would prove nothing. */
}

/* Counts an operation. Gives the code that it has to fail with, or SQLITE_OK. */
static int admit(int kind) {
  int64_t n = ++counts[kind];
  return n >= faults[kind].from && n <= faults[kind].to ? faults[kind].code : SQLITE_OK;
}

/* An operation was recorded and done: perhaps the last of this process. Nothing is flushed, closed or told. */
static void done(void) {
  if (++operations == lastOperation) _exit(137);
}

static int forget(const char *path) {
  for (known_file_t **link = &known; *link; link = &(*link)->next)
    if (!strcmp((*link)->path, path)) {
      known_file_t *gone = *link;
      int number = gone->number;
      *link = gone->next;
      free(gone);
      return number;
    }
  return 0;
}

static int number_of(const char *path, int isNew) {
  if (isNew)
    forget(path);
  else
    for (known_file_t *file = known; file; file = file->next)
      if (!strcmp(file->path, path)) return file->number;
  known_file_t *file = malloc(sizeof *file + strlen(path) + 1);
  if (!file) abort();
  strcpy(file->path, path);
  file->number = ++lastNumber;
  file->next = known;
  known = file;
  record(CREATE, file->number, 0, path, strlen(path));
  return file->number;
}

#define REAL(f) (((cut_file_t *)(f))->real)
#define BELOW(f) REAL(f)->pMethods

static int on_write(sqlite3_file *f, const void *bytes, int size, int64_t at) {
  pthread_mutex_lock(&lock);
  int code = admit(WRITE);
  if (!code && !(code = BELOW(f)->xWrite(REAL(f), bytes, size, at))) {
    record(WRITE, ((cut_file_t *)f)->file, at, bytes, size);
    done();
  }
  pthread_mutex_unlock(&lock);
  return code;
}

static int on_truncate(sqlite3_file *f, int64_t size) {
  pthread_mutex_lock(&lock);
  int code = admit(TRUNCATE);
  if (!code && !(code = BELOW(f)->xTruncate(REAL(f), size))) {
    record(TRUNCATE, ((cut_file_t *)f)->file, size, 0, 0);
    done();
  }
  pthread_mutex_unlock(&lock);
  return code;
}

static int on_sync(sqlite3_file *f, int flags) {
  cut_file_t *file = (cut_file_t *)f;
  (void)flags;
  pthread_mutex_lock(&lock);
  int code = admit(SYNC);
  if (code) {
    record(FAILED_SYNC, file->file, 0, 0, 0);
  } else {
    /* Not passed on: these files need not outlive the machine, only the journal has to say what would have. */
    record(SYNC, file->file, 0, 0, 0);
    if (file->syncsFolder) record(SYNC_FOLDER, 0, 0, 0, 0);
    file->syncsFolder = 0;
    done();
  }
  pthread_mutex_unlock(&lock);
  return code;
}

static int on_close(sqlite3_file *f) { return BELOW(f)->xClose(REAL(f)); }
static int on_read(sqlite3_file *f, void *to, int size, int64_t at) { return BELOW(f)->xRead(REAL(f), to, size, at); }
static int on_size(sqlite3_file *f, int64_t *size) { return BELOW(f)->xFileSize(REAL(f), size); }
static int on_lock(sqlite3_file *f, int level) { return BELOW(f)->xLock(REAL(f), level); }
static int on_unlock(sqlite3_file *f, int level) { return BELOW(f)->xUnlock(REAL(f), level); }
static int on_reserved(sqlite3_file *f, int *is) { return BELOW(f)->xCheckReservedLock(REAL(f), is); }
static int on_control(sqlite3_file *f, int what, void *with) { return BELOW(f)->xFileControl(REAL(f), what, with); }
static int on_sector(sqlite3_file *f) { return BELOW(f)->xSectorSize(REAL(f)); }
static int on_device(sqlite3_file *f) { return BELOW(f)->xDeviceCharacteristics(REAL(f)); }
static int on_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **to) {
  return BELOW(f)->xShmMap(REAL(f), page, size, extend, to);
}
static int on_shm_lock(sqlite3_file *f, int at, int n, int flags) { return BELOW(f)->xShmLock(REAL(f), at, n, flags); }
static void on_shm_barrier(sqlite3_file *f) { BELOW(f)->xShmBarrier(REAL(f)); }
static int on_shm_unmap(sqlite3_file *f, int drop) { return BELOW(f)->xShmUnmap(REAL(f), drop); }

static int on_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *given) {
  cut_file_t *file = (cut_file_t *)f;
  int exists = 0;
  (void)vfs;
  memset(file, 0, sizeof *file);
  file->real = (sqlite3_file *)&file[1];
  pthread_mutex_lock(&lock);
  if (path) below->xAccess(below, path, SQLITE_ACCESS_EXISTS, &exists);
  int code = below->xOpen(below, path, file->real, flags, given);
  if (!code) {
    f->pMethods = &methods;
    file->syncsFolder = (flags & SQLITE_OPEN_CREATE) && (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL));
    file->file = path && journal >= 0 ? number_of(path, !exists) : 0;
  }
  pthread_mutex_unlock(&lock);
  return code;
}

static int on_delete(sqlite3_vfs *vfs, const char *path, int syncFolder) {
  (void)vfs;
  pthread_mutex_lock(&lock);
  int code = below->xDelete(below, path, syncFolder);
  if (!code) {
    int number = forget(path);
    if (number) record(DELETE, number, 0, 0, 0);
    if (number && syncFolder) record(SYNC_FOLDER, 0, 0, 0, 0);
    done();
  }
  pthread_mutex_unlock(&lock);
  return code;
}

/* Registers the layer, beside the default one; once in a process. */
int cut_install(sqlite3_vfs *(*find)(const char *), int (*registerVfs)(sqlite3_vfs *, int)) {
  if (!(below = find(0))) return SQLITE_ERROR;
  layer = *below;
  layer.zName = "errand-cut";
  layer.pNext = 0;
  layer.szOsFile = (int)sizeof(cut_file_t) + below->szOsFile;
  layer.xOpen = on_open;
  layer.xDelete = on_delete;
  methods = (sqlite3_io_methods){
    2, /* Without memory mapping, whose writes nobody sees. */
    on_close, on_read, on_write, on_truncate, on_sync, on_size, on_lock, on_unlock, on_reserved, on_control, on_sector,
    on_device, on_shm_map, on_shm_lock, on_shm_barrier, on_shm_unmap};
  return registerVfs(&layer, 0);
}

/* Begins a journal at a path, about files that are new from here on; null ends it. Counts and faults begin anew. */
int cut_record(const char *path) {
  pthread_mutex_lock(&lock);
  if (journal >= 0) close(journal);
  while (known) forget(known->path);
  memset(counts, 0, sizeof counts);
  memset(faults, 0, sizeof faults);
  lastNumber = 0;
  operations = lastOperation = 0;
  journal = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
  int isOpen = !path || journal >= 0;
  pthread_mutex_unlock(&lock);
  return isOpen ? SQLITE_OK : SQLITE_ERROR;
}

/* A mark of the program's, between the operations before and after it. */
void cut_mark(int kind, int64_t value) {
  pthread_mutex_lock(&lock);
  record(kind, 0, value, 0, 0);
  pthread_mutex_unlock(&lock);
}

/* From now on, the operations of a kind fail with a code, from the from-th to the to-th; 0 and 0 for none. */
void cut_fail(int kind, int64_t from, int64_t to, int code) {
  pthread_mutex_lock(&lock);
  counts[kind] = 0;
  faults[kind].from = from;
  faults[kind].to = to;
  faults[kind].code = code;
  pthread_mutex_unlock(&lock);
}

/* How many operations of a kind were asked for since the last cut_record or cut_fail of it. */
int64_t cut_count(int kind) {
  pthread_mutex_lock(&lock);
  int64_t count = counts[kind];
  pthread_mutex_unlock(&lock);
  return count;
}

/* The process ends when it has done this many operations of any kind. */
void cut_exit_at(int64_t operation) {
  pthread_mutex_lock(&lock);
  lastOperation = operation;
  pthread_mutex_unlock(&lock);
}
