/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * datagrams - UDP for the guest, whose busybox has none: the bytes of a file, cut into datagrams.
 *
 * In: "send FILE ADDRESS PORT", "receive FILE PORT BYTES" or "compare FILE FILE". Out: datagrams,
 * slowly enough that an emulated machine loses none; or FILE with what has come once BYTES of it
 * are there, or ten seconds after the last datagram; or whether two files hold the same datagrams,
 * and how many of them in another place. Exit code 0, 1 a call failed or they do not, 2 usage.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SIZE 1000
#define PAUSE_US 500

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static int send_file(int sock, const char *path, const char *address, int port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = open(path, O_RDONLY);
	char data[SIZE];
	ssize_t n;

	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return fail(path);
	while ((n = read(fd, data, sizeof(data))) > 0) {
		if (sendto(sock, data, n, 0, (struct sockaddr *)&to, sizeof(to)) != n)
			return fail("sendto");
		usleep(PAUSE_US);
	}
	return n < 0 ? fail(path) : 0;
}

static int receive_file(int sock, const char *path, int port, long bytes)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct timeval patience = {.tv_sec = 60}, silence = {.tv_sec = 10};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	char data[65536];
	int room = 16 << 20; /* for all of it: whoever shares a processor may have to wait */
	ssize_t n;

	if (fd < 0)
		return fail(path);
	setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
	if (bind(sock, (struct sockaddr *)&at, sizeof(at)))
		return fail("bind");
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (bytes > 0) {
		n = recv(sock, data, sizeof(data), 0);
		if (n < 0)
			break;
		setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
		if (write(fd, data, n) != n)
			return fail(path);
		bytes -= n;
	}
	return close(fd) ? fail(path) : 0;
}

struct file {
	char data[4 << 20];
	size_t count; /* datagrams */
};

static int read_file(struct file *file, const char *path)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, file->data, sizeof(file->data));

	if (n < 0)
		return fail(path);
	file->count = n / SIZE;
	return close(fd) || n % SIZE;
}

static int by_content(const void *a, const void *b)
{
	return memcmp(a, b, SIZE);
}

static int compare_files(const char *one_path, const char *other_path)
{
	static struct file one, other;
	size_t i, moved = 0;

	if (read_file(&one, one_path) || read_file(&other, other_path))
		return 1;
	for (i = 0; i < one.count && i < other.count; i++)
		moved += !!memcmp(one.data + i * SIZE, other.data + i * SIZE, SIZE);
	qsort(one.data, one.count, SIZE, by_content);
	qsort(other.data, other.count, SIZE, by_content);
	if (one.count != other.count || memcmp(one.data, other.data, one.count * SIZE))
		return 1;
	printf("%zu in another place\n", moved);
	return 0;
}

int main(int argc, char **argv)
{
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (sock < 0)
		return fail("socket");
	if (argc == 5 && !strcmp(argv[1], "send"))
		return send_file(sock, argv[2], argv[3], atoi(argv[4]));
	if (argc == 5 && !strcmp(argv[1], "receive"))
		return receive_file(sock, argv[2], atoi(argv[3]), atol(argv[4]));
	if (argc == 4 && !strcmp(argv[1], "compare"))
		return compare_files(argv[2], argv[3]);
	fprintf(stderr, "usage: datagrams send FILE ADDRESS PORT | receive FILE PORT BYTES"
			" | compare FILE FILE\n");
	return 2;
}
