/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * follow.h - what the parts of `xdplace follow` share.
 *
 *   completions ─► follow_stream.c ─► pieces of streams ─► follow_file.c ─► files in DIR
 *                       │ a flow ends                           │ a write fails
 *                       ▼                                       ▼
 *                  follow_report.c: a line per flow        follow_fail(): all stop
 *
 * One worker owns one lane, and with it every flow of that lane: flows never change lane, so
 * workers share nothing but what is marked so.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <xdplace/xdplace.h>

#define FOLLOW_BATCH 1024u /* completions that are taken at once */
#define FOLLOW_NAME 192u   /* bytes of a file name */
#define FOLLOW_OPEN (-1)   /* "reason" of a flow that has not ended */
#define FOLLOW_BUCKETS 65536u

struct capture;

/* Stream bytes that never came; RTP: packets. */
struct follow_gap {
	uint64_t offset;
	uint64_t length;
};

/* Bytes in the UMEM that are to be written, linked by stream. */
struct follow_piece {
	struct iovec iov;
	int32_t next; /* in the worker's pieces, -1: last of its stream */
};

/* One flow, as far as its completions have been seen. */
struct follow_stream {
	TAILQ_ENTRY(follow_stream) all;	     /* in follow_worker.streams */
	TAILQ_ENTRY(follow_stream) open;     /* in follow_worker.open while fd >= 0 */
	STAILQ_ENTRY(follow_stream) touched; /* in follow_worker.touched while is_touched */
	int32_t first_piece, last_piece;     /* of this batch, -1: none */
	bool is_touched;
	bool ended;
	bool known;	/* key is valid */
	bool gapless;	/* no byte before `from` was given up */
	bool continued; /* in the file of an earlier consumer */
	bool v6;
	bool rtp;   /* offsets are packet numbers */
	int reason; /* enum xp_reason of the end, FOLLOW_OPEN */
	int fd;	    /* -1: not open at the moment, or no file yet */
	char *name; /* of the file, NULL: no data so far */
	uint32_t handle;
	uint64_t from;	    /* stream offset of the first byte in the file */
	uint64_t next;	    /* stream offset that must come next */
	uint64_t bytes;	    /* written to the file */
	uint64_t unwritten; /* placed, but lost because writing failed */
	uint64_t repeats;
	uint64_t bad_checksums;
	uint64_t packets; /* RTP: in the file */
	uint64_t late;
	uint32_t ssrc;
	struct follow_gap *gaps;
	size_t gap_count;
	union xp_key key;
};
TAILQ_HEAD(follow_list, follow_stream);
STAILQ_HEAD(follow_queue, follow_stream);

/* How often a name has been given out already. */
struct follow_used {
	struct follow_used *next;
	uint32_t count;
	char name[];
};

/* Shared by all workers. */
struct follow {
	struct xdplace *ctx;
	const char *path; /* of the directory */
	int dir;
	bool json;
	bool live;
	bool keep;	      /* files of earlier runs are not overwritten */
	bool progress;	      /* a progress line is on the terminal */
	pthread_mutex_t lock; /* names, stdout, failure[] */
	struct follow_used *names[FOLLOW_BUCKETS];
	struct follow_stream **streams; /* by flow index: each element is one worker's */
	uint32_t stream_count;
	atomic_bool stopping; /* nothing more is placed: drain and finish */
	atomic_bool failed;   /* a write has failed: write nothing more */
	char failure[512];    /* why; valid when failed */
};

struct follow_worker {
	struct follow *follow;
	struct xdplace_lane *lane;
	pthread_t thread;
	bool running;
	int error; /* -errno of a library call that failed, and what the library said of it */
	char error_text[256];
	struct follow_list streams;
	struct follow_list open; /* least recently written first */
	uint32_t open_count;
	uint32_t open_limit;
	bool damaged; /* the packet that more is told of, and it is counted as such */
	struct follow_queue touched; /* streams this batch has something for, in order */
	uint32_t piece_count;
	struct follow_piece pieces[2 * FOLLOW_BATCH];
	struct iovec iov[2 * FOLLOW_BATCH];
	struct xp_completion completions[FOLLOW_BATCH];
	/* Read by the main thread for its progress line: nothing depends on them. */
	_Atomic uint64_t packets, flows, files, bytes, gaps, gap_bytes, missing, unwritten,
		disorder;
};

/* What was asked for. */
struct follow_options {
	const char *directory;
	const char *capture;  /* NULL: live */
	uint64_t duration_ms; /* 0: until told */
	uint64_t idle_ms;
	bool stats;
	bool own; /* the context was made here: its interfaces are detached at the end */
};

/* ---- verb_follow.c ---- */

/* Consumer of the lane. 0, or the exit code after saying why. */
int follow_worker_open(struct follow_worker *worker, struct follow *follow, uint32_t lane,
		       uint32_t open_limit);
void follow_worker_close(struct follow_worker *worker);
/* Take all there is. 0 or -errno. */
int follow_drain(struct follow_worker *worker);
/* End all flows of the lane and take what that gives. 0 or -errno. */
int follow_flush(struct follow_worker *worker);
uint64_t follow_now_ms(void);

/* ---- follow_live.c, follow_read.c: follow until the end; the exit code ---- */

int follow_live(struct follow *follow, const struct follow_options *options,
		struct follow_worker *workers, uint32_t count);
/* `path`: the capture's, for messages. */
int follow_read(struct follow *follow, struct capture *capture, const char *path,
		struct follow_worker *worker);

/* ---- follow_stream.c ---- */

/* Take what is ready in the lane, write it, release it. Completions taken, or -errno. */
int follow_batch(struct follow_worker *worker);
/* Report the streams that have not ended, and free them. */
void follow_leave(struct follow_worker *worker);

/* ---- follow_key.c ---- */

/* Sets key, v6, known and gapless of a stream that `c` tells of. */
void follow_key(struct follow_worker *worker, const struct xp_completion *c,
		struct follow_stream *stream);

/* ---- follow_file.c ---- */

/* Write iov (it is changed) to the stream's file. 0, or -1 after follow_fail(). */
int follow_write(struct follow_worker *worker, struct follow_stream *stream, struct iovec *iov,
		 int count);
void follow_close(struct follow_worker *worker, struct follow_stream *stream);
/* The first failure is kept and stops all workers. */
void follow_fail(struct follow *follow, const char *name, const char *what, int err);
void follow_free_names(struct follow *follow);

/* ---- follow_report.c ---- */

/* The line that tells of one flow, on stdout. */
void follow_report(struct follow_worker *worker, const struct follow_stream *stream);
/* One line on stderr that is overwritten by the next. */
void follow_progress(const struct follow_worker *workers, uint32_t count, uint64_t elapsed_ms);
void follow_progress_end(void);
/* What became of everything, on stderr. True if nothing was lost on this side. */
bool follow_summary(const struct follow_worker *workers, uint32_t count);
/* What was not placed for want of room since `before`, and which option gives more. */
void follow_shortages(const struct xp_counters *before, const struct xp_counters *after);
void follow_stats(const struct xp_counters *before, const struct xp_counters *after);

#endif
