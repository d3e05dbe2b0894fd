/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * send_input.c - in: files or standard input, one behind the other, once or again and again. Out:
 * their bytes in a ring, by read(2), in a thread of its own: a slow disk or a silent pipe keeps
 * nobody else waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "send.h"

#define SLICE (1u << 20) /* bytes of a read, at most: so that sending begins early */
#define LOOK_MS 100	 /* for silent pipes: has it been stopped? */

static int open_file(const char *name)
{
	return strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
}

static void close_file(int fd)
{
	if (fd != STDIN_FILENO)
		close(fd);
}

/* A file that is not there is no context that is not there. */
_Noreturn void send_refuse(const char *name, int err)
{
	int code = cli_errno(err, "open %s", name);

	exit(code == CLI_NOT_FOUND ? CLI_FAILED : code);
}

void send_input_check(struct send_input *input)
{
	bool known = true;
	struct stat status;
	int i, fd;

	for (i = 0; i < input->count; i++) {
		fd = open_file(input->files[i]);
		if (fd < 0 || fstat(fd, &status))
			send_refuse(input->files[i], errno);
		if (S_ISDIR(status.st_mode))
			send_refuse(input->files[i], EISDIR);
		if (!S_ISREG(status.st_mode) && input->loops > 1)
			cli_usage("--loop: %s can be read only once",
				  fd == STDIN_FILENO ? "standard input" : input->files[i]);
		known = known && S_ISREG(status.st_mode);
		input->total += (uint64_t)status.st_size;
		close_file(fd);
	}
	if (!known || input->loops == SEND_FOREVER)
		input->total = 0;
	else
		input->total *= input->loops;
}

/* ---- the thread ---- */

/* Where the next bytes go, and how many there may be; 0: it was stopped. */
static uint64_t wait_room(struct send_input *input, uint8_t **to)
{
	uint64_t room, at;

	pthread_mutex_lock(&input->lock);
	while (!input->stop && input->head - input->tail == input->size)
		pthread_cond_wait(&input->emptied, &input->lock);
	room = input->stop ? 0 : input->size - (input->head - input->tail);
	at = input->head % input->size;
	pthread_mutex_unlock(&input->lock);
	if (room > input->size - at)
		room = input->size - at;
	*to = input->ring + at;
	return room < SLICE ? room : SLICE;
}

/* read(2) that gives up when it is stopped: -ECANCELED. Regular files are always ready. */
static ssize_t read_some(struct send_input *input, int fd, void *to, size_t size)
{
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	ssize_t n;

	for (;;) {
		if (__atomic_load_n(&input->stop, __ATOMIC_RELAXED))
			return -ECANCELED;
		if (poll(&ready, 1, LOOK_MS) <= 0)
			continue;
		n = read(fd, to, size);
		if (n >= 0)
			return n;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

static void add(struct send_input *input, size_t bytes)
{
	pthread_mutex_lock(&input->lock);
	input->head += bytes;
	pthread_cond_signal(&input->filled);
	pthread_mutex_unlock(&input->lock);
}

/* 0 at its end, or -errno. */
static int read_file(struct send_input *input, int fd)
{
	uint8_t *to;
	size_t room;
	ssize_t n;

	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	for (;;) {
		room = wait_room(input, &to);
		if (!room)
			return -ECANCELED;
		n = read_some(input, fd, to, room);
		if (n <= 0)
			return (int)n;
		add(input, (size_t)n);
	}
}

static int read_named(struct send_input *input, const char *name)
{
	int fd = open_file(name), err;

	if (fd < 0)
		err = -errno;
	else
		err = read_file(input, fd);
	if (fd >= 0)
		close_file(fd);
	if (err)
		input->failed = name;
	return err;
}

static int read_all(struct send_input *input)
{
	uint64_t loop, before;
	int i, err = 0;

	for (loop = 0; loop < input->loops && !err; loop++) {
		before = input->head;
		for (i = 0; i < input->count && !err; i++)
			err = read_named(input, input->files[i]);
		/* Nothing, again and again, is nothing. */
		if (input->head == before)
			break;
	}
	return err;
}

static void *run(void *arg)
{
	struct send_input *input = arg;
	int err = read_all(input);

	pthread_mutex_lock(&input->lock);
	input->ended = true;
	input->error = err == -ECANCELED ? 0 : -err;
	pthread_cond_signal(&input->filled);
	pthread_mutex_unlock(&input->lock);
	return NULL;
}

/* ---- its master ---- */

int send_input_start(struct send_input *input, uint8_t *ring, uint64_t size)
{
	pthread_condattr_t monotonic;
	sigset_t all, before;
	int err;

	input->ring = ring;
	input->size = size;
	pthread_mutex_init(&input->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&input->filled, &monotonic);
	pthread_cond_init(&input->emptied, &monotonic);
	/* Signals are for who sleeps until something is due. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	err = pthread_create(&input->thread, NULL, run, input);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

void send_input_stop(struct send_input *input)
{
	pthread_mutex_lock(&input->lock);
	__atomic_store_n(&input->stop, true, __ATOMIC_RELAXED);
	pthread_cond_signal(&input->emptied);
	pthread_mutex_unlock(&input->lock);
	pthread_join(input->thread, NULL);
}

static void in_ms(uint32_t ms, struct timespec *deadline)
{
	uint64_t ns = send_now_ns() + ms * 1000000ull;

	deadline->tv_sec = (time_t)(ns / 1000000000);
	deadline->tv_nsec = (long)(ns % 1000000000);
}

uint64_t send_input_have(struct send_input *input, uint64_t at, uint64_t least, uint32_t ms,
			 const uint8_t **data, bool *end)
{
	uint64_t have, before_wrap = input->size - at % input->size;
	struct timespec deadline;
	int err = 0;

	in_ms(ms, &deadline);
	pthread_mutex_lock(&input->lock);
	while (ms && input->head - at < least && !input->ended && !err)
		err = pthread_cond_timedwait(&input->filled, &input->lock, &deadline);
	have = input->head - at;
	*end = input->ended && have <= before_wrap;
	pthread_mutex_unlock(&input->lock);
	*data = input->ring + at % input->size;
	return have < before_wrap ? have : before_wrap;
}

void send_input_release(struct send_input *input, uint64_t to)
{
	pthread_mutex_lock(&input->lock);
	input->tail = to;
	pthread_cond_signal(&input->emptied);
	pthread_mutex_unlock(&input->lock);
}

bool send_input_full(struct send_input *input)
{
	bool full;

	pthread_mutex_lock(&input->lock);
	full = !input->ended && input->head - input->tail > input->size / 2;
	pthread_mutex_unlock(&input->lock);
	return full;
}
