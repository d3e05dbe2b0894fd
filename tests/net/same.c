/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * same.c - is what was placed what was delivered?
 *
 * In:  same [-b] PLACED DELIVERED [OFFSET:LENGTH]...
 *      -b: compare the body of an HTTP response in PLACED, behind the first empty line.
 *      OFFSET:LENGTH: a gap, stream bytes that PLACED leaves out, in order.
 * Out: exit status 0, the same; 1, not the same, and a line that says where; 2, usage.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	const char *name;
	const unsigned char *byte;
	size_t len;
};

static struct file map_file(const char *name)
{
	struct file f = {.name = name};
	struct stat st;
	int fd;

	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		printf("%s: %s\n", name, strerror(errno));
		exit(1);
	}
	f.len = st.st_size;
	if (f.len)
		f.byte = mmap(NULL, f.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (f.byte == MAP_FAILED) {
		printf("%s: %s\n", name, strerror(errno));
		exit(1);
	}
	close(fd);
	return f;
}

static void skip_header(struct file *f)
{
	const unsigned char *end = f->len ? memmem(f->byte, f->len, "\r\n\r\n", 4) : NULL;

	if (!end) {
		printf("%s: %zu bytes without the end of an HTTP header\n", f->name, f->len);
		exit(1);
	}
	f->len -= end + 4 - f->byte;
	f->byte = end + 4;
}

static size_t first_difference(const unsigned char *a, const unsigned char *b, size_t len)
{
	size_t i = 0;

	while (i + 4096 <= len && !memcmp(a + i, b + i, 4096))
		i += 4096;
	while (i < len && a[i] == b[i])
		i++;
	return i;
}

/* Compare `len` bytes at both files' current places and go on behind them. */
static void step(struct file *placed, struct file *delivered, size_t at, size_t len)
{
	size_t n = len;

	if (n > placed->len)
		n = placed->len;
	if (n > delivered->len)
		n = delivered->len;
	n = first_difference(placed->byte, delivered->byte, n);
	if (n < len && (n < placed->len || n < delivered->len)) {
		printf("%s: stream offset %zu: ", placed->name, at + n);
		if (n < placed->len && n < delivered->len)
			printf("byte %02x, delivered was %02x\n", placed->byte[n],
			       delivered->byte[n]);
		else
			printf("%zu bytes placed from here, %zu delivered\n", placed->len - n,
			       delivered->len - n);
		exit(1);
	}
	placed->byte += n;
	placed->len -= n;
	delivered->byte += n;
	delivered->len -= n;
}

static int usage(void)
{
	fputs("usage: same [-b] PLACED DELIVERED [OFFSET:LENGTH]...\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	unsigned long long offset, length;
	struct file placed, delivered;
	size_t at = 0;
	int i = 1, body;

	body = argc > 1 && !strcmp(argv[1], "-b");
	i += body;
	if (argc < i + 2)
		return usage();
	placed = map_file(argv[i++]);
	delivered = map_file(argv[i++]);
	if (body)
		skip_header(&placed);
	for (; i < argc; i++) {
		if (sscanf(argv[i], "%llu:%llu", &offset, &length) != 2 || offset < at)
			return usage();
		step(&placed, &delivered, at, offset - at);
		if (length > delivered.len) {
			printf("%s: gap of %llu bytes at %llu, only %zu were delivered there\n",
			       placed.name, length, offset, delivered.len);
			return 1;
		}
		delivered.byte += length;
		delivered.len -= length;
		at = offset + length;
	}
	step(&placed, &delivered, at, (size_t)-1);
	return 0;
}
