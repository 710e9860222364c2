/* test_watch.c - the full screens of the real otactl on a pseudo terminal, over a real otagwd and a virtual SMSC.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is drawn goes through a small terminal of our own, so that what is looked at is what an operator would see, however
 * it was drawn.  Every wait is for something to be seen and is bounded.
 */
#define _GNU_SOURCE /* ptsname, memmem */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define CARDS	   60
#define WAIT_MS	   30000 /* for anything to be seen */
#define LOOK_MS	   20	 /* between two looks at what tells nothing by itself */
#define COLS_MAX   220
#define ROWS_MAX   60
#define OCTETS_MAX (1 << 20)

extern char **environ;

static char dir[] = "/tmp/test_watch.XXXXXX";
static pid_t sim = -1, gw = -1;

/* ------------------------------------------------------------------------------------------------ the programs */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void nap(void)
{
	poll(NULL, 0, LOOK_MS);
}

static const char *in_dir(const char *name)
{
	static char path[8][128];
	static unsigned turn;
	char *p = path[turn++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void put_file(const char *name, const char *text, size_t len)
{
	int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), (ssize_t)len);
	assert_int_equal(close(fd), 0);
}

/* Its output goes to a file, so that a failure can be looked into. */
static pid_t start(const char *program, const char *log, char *const argv[])
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	int fd = open(in_dir(log), O_WRONLY | O_CREAT | O_APPEND, 0600);

	dup2(fd, 1);
	dup2(fd, 2);
	execv(program, argv);
	_exit(127);
}

static void end(pid_t *pid, int sig)
{
	if (*pid > 0) {
		kill(*pid, sig);
		waitpid(*pid, NULL, 0);
	}
	*pid = -1;
}

static int ctl(const char *a, ...)
{
	char *argv[16] = { (char *)OTACTL };
	unsigned n = 1;
	int status;
	va_list ap;
	pid_t pid;

	va_start(ap, a);
	for (; a && n < 15; a = va_arg(ap, const char *))
		argv[n++] = (char *)a;
	va_end(ap);
	pid = start(OTACTL, "ctl.log", argv);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void start_sim(void)
{
	char cards[8], *argv[] = { (char *)OTASIM,
				   "--cards",
				   cards,
				   "--seed",
				   "1",
				   "--dir",
				   dir,
				   "--port-file",
				   (char *)in_dir("port"),
				   "--control",
				   (char *)in_dir("sim.sock"),
				   "--absent",
				   "30%",
				   "--absent-for",
				   "10000s..20000s",
				   "--latency",
				   "1..5ms",
				   "--system-id",
				   "otagw",
				   "--password-file",
				   (char *)in_dir("password"),
				   NULL };

	snprintf(cards, sizeof(cards), "%d", CARDS);
	sim = start(OTASIM, "sim.log", argv);
	for (int64_t until = now_ms() + WAIT_MS; access(in_dir("port"), R_OK) && now_ms() < until;)
		nap();
}

static void start_gw(void)
{
	char *argv[] = { (char *)OTAGWD, "-c", (char *)in_dir("otagw.cfg"), NULL };

	gw = start(OTAGWD, "gw.log", argv);
	assert_int_equal(ctl("status", "--wait", "30", NULL), 0);
}

static int setup(void **state)
{
	char cfg[1024], port[16] = "", kek[32];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	assert_int_equal(setenv("OTAGW_SOCKET", in_dir("api.sock"), 1), 0);
	for (size_t i = 0; i < sizeof(kek); i++)
		kek[i] = (char)(i * 7 + 1);
	put_file("kek", kek, sizeof(kek));
	put_file("password", "secret", 6);
	start_sim();
	f = fopen(in_dir("port"), "r");
	assert_non_null(f);
	assert_non_null(fgets(port, sizeof(port), f));
	fclose(f);
	snprintf(cfg, sizeof(cfg),
		 "otagw\n state-dir %s/state\n profile-dir " PROFILES
		 "\n api-socket %s/api.sock\n source-address 9000 ton 2 "
		 "npi 1\n address-by msisdn\nkeystore\n kek file %s/kek\nsmsc-link sim\n remote-ip 127.0.0.1\n "
		 "remote-port "
		 "%d\n system-id otagw\n password-file %s/password\n flavour osmomsc\n window 10\n throughput "
		 "unlimited\n "
		 "esm-mode transaction\n reconnect 100ms\n reconnect-max 300ms\nretry\n preset demo\n",
		 dir, dir, dir, atoi(port), dir);
	put_file("otagw.cfg", cfg, strlen(cfg));
	start_gw();
	assert_int_equal(ctl("card", "import", in_dir("cards.csv"), "--keyset", "1=3des2,cntr=1", NULL), 0);
	assert_int_equal(ctl("campaign", "create", "swap1", "--imsi-list", in_dir("new-imsi.csv"), "--profile",
			     "usim-rfm", NULL),
			 0);
	assert_int_equal(ctl("campaign", "start", "swap1", NULL), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[160];

	end(&gw, SIGTERM);
	end(&sim, SIGTERM);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

/* ------------------------------------------------------------------------------------------------ the terminal */

/* Understands what term.c writes and nothing else: an unknown sequence is a failure. */
struct tty {
	int master;
	pid_t session; /* the shell's place: it waits for otactl as a shell does */
	int told;      /* "S" stopped, "E" and its exit code, "K" and a signal */
	pid_t pid;     /* of otactl */
	bool alternate, cursor_hidden;
	unsigned cols, rows, row, col;
	char cell[ROWS_MAX][COLS_MAX + 1];
	char after[8192]; /* what stands on the ordinary screen */
	size_t after_len, octets;
	char esc[32];
	size_t esc_len;
};

static void clear(struct tty *t)
{
	for (unsigned r = 0; r < ROWS_MAX; r++) {
		memset(t->cell[r], ' ', COLS_MAX);
		t->cell[r][COLS_MAX] = '\0';
	}
}

static void sequence(struct tty *t)
{
	unsigned row = 1, col = 1;

	t->esc[t->esc_len] = '\0';
	if (!strcmp(t->esc, "[?1049h")) {
		t->alternate = true;
		clear(t);
	} else if (!strcmp(t->esc, "[?1049l")) {
		t->alternate = false;
	} else if (!strcmp(t->esc, "[?25l")) {
		t->cursor_hidden = true;
	} else if (!strcmp(t->esc, "[?25h")) {
		t->cursor_hidden = false;
	} else if (!strcmp(t->esc, "[2J")) {
		clear(t);
	} else if (t->esc[t->esc_len - 1] == 'H' && sscanf(t->esc, "[%u;%uH", &row, &col) == 2) {
		t->row = row - 1;
		t->col = col - 1;
	} else if (t->esc[t->esc_len - 1] != 'm') {
		fail_msg("the sequence ESC %s is not one of ours", t->esc);
	}
	t->esc_len = 0;
}

static void octet(struct tty *t, char c)
{
	if (t->esc_len) {
		if (t->esc_len == 1 && c == '[' && t->esc[0] == 27) {
			t->esc[0] = '[';
			return;
		}
		assert_true(t->esc_len < sizeof(t->esc) - 1);
		t->esc[t->esc_len++] = c;
		if (c >= '@' && c <= '~')
			sequence(t);
		return;
	}
	if (c == 27) {
		t->esc[0] = c;
		t->esc_len = 1;
	} else if (!t->alternate) {
		if (t->after_len + 1 < sizeof(t->after))
			t->after[t->after_len++] = c;
	} else {
		/* a screen that scrolls or wraps has been written beyond its end */
		assert_true(c >= ' ' && c < 0x7f);
		if (t->row >= t->rows || t->col >= t->cols)
			fail_msg("'%c' is written at %u,%u of a screen of %ux%u", c, t->col, t->row, t->cols, t->rows);
		t->cell[t->row][t->col++] = c;
	}
}

/* Takes what has come; waits for it at most so long.  False: nothing, or the other end is closed. */
static bool take(struct tty *t, int wait_ms)
{
	struct pollfd p = { .fd = t->master, .events = POLLIN };
	char buf[4096];
	ssize_t n;

	if (poll(&p, 1, wait_ms) <= 0)
		return false;
	n = read(t->master, buf, sizeof(buf));
	for (ssize_t i = 0; i < n; i++)
		octet(t, buf[i]);
	t->octets += n > 0 ? (size_t)n : 0;
	assert_true(t->octets < OCTETS_MAX);
	return n > 0;
}

static bool on_screen(const struct tty *t, const char *text)
{
	for (unsigned r = 0; r < t->rows; r++)
		if (t->alternate && strstr(t->cell[r], text))
			return true;
	return false;
}

static void show(const struct tty *t)
{
	for (unsigned r = 0; r < t->rows; r++)
		print_message("|%.*s|\n", (int)t->cols, t->cell[r]);
}

static void sees(struct tty *t, const char *text)
{
	for (int64_t until = now_ms() + WAIT_MS; !on_screen(t, text);) {
		if (now_ms() > until || (!take(t, 100) && now_ms() > until)) {
			show(t);
			fail_msg("\"%s\" does not come to be seen", text);
		}
	}
}

static void sees_no_more(struct tty *t, const char *text)
{
	for (int64_t until = now_ms() + WAIT_MS; on_screen(t, text); take(t, 100)) {
		if (now_ms() > until) {
			show(t);
			fail_msg("\"%s\" does not go away", text);
		}
	}
}

static void types(struct tty *t, const char *keys)
{
	assert_int_equal(write(t->master, keys, strlen(keys)), (ssize_t)strlen(keys));
}

static void resize(struct tty *t, unsigned cols, unsigned rows)
{
	const struct winsize w = { .ws_col = (unsigned short)cols, .ws_row = (unsigned short)rows };

	/* what is on its way is still of the old size */
	t->cols = cols > t->cols ? cols : t->cols;
	t->rows = rows > t->rows ? rows : t->rows;
	assert_int_equal(ioctl(t->master, TIOCSWINSZ, &w), 0);
}

static bool echoes(const struct tty *t)
{
	struct termios s;

	assert_int_equal(tcgetattr(t->master, &s), 0);
	return s.c_lflag & ECHO && s.c_lflag & ICANON;
}

static bool in_background; /* of the next run() */

/* What a shell does: its own process group in the foreground, and to be told how it fares. */
static void session_run(const char *slave, int tell, char *const argv[])
{
	int status, fd;
	char word[8];
	pid_t pid;

	setsid();
	fd = open(slave, O_RDWR); /* becomes the controlling terminal */
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) < 0)
		_exit(126);
	signal(SIGTTOU, SIG_IGN);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		if (!in_background)
			tcsetpgrp(fd, getpid());
		signal(SIGTTOU, SIG_DFL);
		dup2(fd, 0);
		dup2(fd, 1);
		dup2(fd, 2);
		execv(OTACTL, argv);
		_exit(127);
	}
	if (write(tell, &pid, sizeof(pid)) != sizeof(pid))
		_exit(126);
	for (;;) {
		if (waitpid(pid, &status, WUNTRACED) != pid)
			_exit(126);
		if (WIFSTOPPED(status))
			snprintf(word, sizeof(word), "S%03d", WSTOPSIG(status));
		else if (WIFSIGNALED(status))
			snprintf(word, sizeof(word), "K%03d", WTERMSIG(status));
		else
			snprintf(word, sizeof(word), "E%03d", WEXITSTATUS(status));
		if (write(tell, word, 4) != 4 || *word != 'S')
			_exit(0);
	}
}

static void run(struct tty *t, unsigned cols, unsigned rows, const char *a, const char *b, const char *c)
{
	char *argv[] = { (char *)OTACTL, (char *)a, (char *)b, (char *)c, NULL };
	char slave[64];
	int tell[2];

	*t = (struct tty){ .cols = cols, .rows = rows };
	clear(t);
	t->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t->master < 0 && errno == ENOENT) {
		print_message("no pseudo terminals on this machine (is devpts mounted?): not looked at\n");
		skip();
	}
	assert_true(t->master >= 0);
	assert_int_equal(grantpt(t->master), 0);
	assert_int_equal(unlockpt(t->master), 0);
	snprintf(slave, sizeof(slave), "%s", ptsname(t->master));
	resize(t, cols, rows);
	assert_true(echoes(t));
	assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
	t->session = fork();
	assert_true(t->session >= 0);
	if (!t->session) {
		close(t->master); /* so that it ends with us, whatever happens */
		session_run(slave, tell[1], argv);
	}
	close(tell[1]);
	t->told = tell[0];
	assert_int_equal(read(t->told, &t->pid, sizeof(t->pid)), sizeof(t->pid));
}

/* What has become of otactl: "E000", "K015", "S020". */
static void becomes(struct tty *t, const char *want)
{
	char word[5] = "";
	struct pollfd p = { .fd = t->told, .events = POLLIN };

	for (int64_t until = now_ms() + WAIT_MS; poll(&p, 1, 0) == 0 && now_ms() < until;)
		take(t, 50);
	assert_true(poll(&p, 1, 0) > 0);
	assert_int_equal(read(t->told, word, 4), 4);
	assert_string_equal(word, want);
	while (take(t, *want == 'S' ? 200 : 0))
		;
}

static void over(struct tty *t)
{
	waitpid(t->session, NULL, 0);
	close(t->told);
	close(t->master);
}

/* The terminal is as it was before. */
static void given_back(struct tty *t)
{
	assert_false(t->alternate);
	assert_false(t->cursor_hidden);
	assert_true(echoes(t));
}

/* ------------------------------------------------------------------------------------------------ tests */

static void keys_and_sizes(void **state)
{
	struct tty t;

	run(&t, 80, 24, "campaign", "watch", "swap1");
	sees(&t, " swap1  RUNNING");
	sees(&t, "of 60 cards ended");
	sees(&t, "for their phone");
	sees(&t, "q quit   p pause or go on   ? help");
	assert_true(t.cursor_hidden);
	assert_false(echoes(&t));
	/* another size is another picture; too small says so */
	resize(&t, 200, 50);
	sees(&t, "links");
	sees(&t, "last events");
	resize(&t, 40, 10);
	sees(&t, "q quit  p pause  ? help");
	sees_no_more(&t, "last events");
	resize(&t, 20, 4);
	sees(&t, "20x4 is too small");
	resize(&t, 80, 24);
	sees(&t, "of 60 cards ended");
	/* a question before it pauses; only y is yes */
	types(&t, "p");
	sees(&t, "pause it?");
	types(&t, "n");
	sees_no_more(&t, "pause it?");
	types(&t, "p");
	sees(&t, "pause it?");
	types(&t, "y");
	sees(&t, "the campaign is PAUSED");
	sees(&t, " swap1  PAUSED");
	types(&t, "p");
	sees(&t, "let it send (again)?");
	types(&t, "y");
	sees(&t, " swap1  RUNNING");
	types(&t, "?");
	sees(&t, "all times are UTC");
	types(&t, " ");
	sees_no_more(&t, "all times are UTC");
	types(&t, "\033[A"); /* an arrow is no key of ours */
	types(&t, "q");
	becomes(&t, "E000");
	given_back(&t);
	assert_non_null(strstr(t.after, "swap1 RUNNING "));
	over(&t);
}

/* However it is ended, the terminal is given back, and whoever ended it sees that. */
static void signals_give_the_terminal_back(void **state)
{
	static const struct {
		int sig;
		const char *keys, *becomes;
	} rows[] = {
		{ SIGTERM, NULL, "K015" }, { SIGINT, "\003", "K002" }, { SIGQUIT, "\034", "K003" },
		{ SIGHUP, NULL, "K001" },  { SIGABRT, NULL, "K006" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tty t;

		run(&t, 80, 24, "campaign", "watch", "swap1");
		sees(&t, " swap1  RUNNING");
		if (rows[i].keys)
			types(&t, rows[i].keys);
		else
			kill(t.pid, rows[i].sig);
		becomes(&t, rows[i].becomes);
		given_back(&t);
		over(&t);
	}
}

/* As `timeout` without --foreground starts it: the keyboard is another's, and touching it would stop us. */
static void in_the_background_it_draws_all_the_same(void **state)
{
	struct tty t;

	in_background = true;
	run(&t, 80, 24, "campaign", "watch", "swap1");
	in_background = false;
	sees(&t, " swap1  RUNNING");
	assert_true(echoes(&t));
	kill(t.pid, SIGTERM);
	becomes(&t, "K015");
	given_back(&t);
	over(&t);
}

static void stopped_and_continued(void **state)
{
	struct tty t;

	run(&t, 80, 24, "smsc", "watch", NULL);
	sees(&t, "1 of 1 up");
	types(&t, "\032");
	becomes(&t, "S020");
	given_back(&t);
	/* the shell writes meanwhile: all of the picture comes again */
	clear(&t);
	kill(t.pid, SIGCONT);
	sees(&t, "1 of 1 up");
	sees(&t, "BOUND since");
	sees(&t, "q quit");
	assert_false(echoes(&t));
	types(&t, "q");
	becomes(&t, "E000");
	given_back(&t);
	over(&t);
}

static void a_gateway_that_goes_away_is_told_and_waited_for(void **state)
{
	struct tty t;

	run(&t, 80, 24, "campaign", "watch", "swap1");
	sees(&t, "of 60 cards ended");
	end(&gw, SIGKILL);
	sees(&t, "the gateway does not answer since ");
	sees(&t, "of 60 cards ended"); /* what is known stays */
	start_gw();
	sees_no_more(&t, "does not answer");
	sees(&t, " swap1  RUNNING");
	/* it is there and says nothing: keys are taken all the same */
	kill(gw, SIGSTOP);
	sees(&t, "the gateway does not answer since ");
	types(&t, "?");
	sees(&t, "all times are UTC");
	types(&t, "q");
	becomes(&t, "E000");
	kill(gw, SIGCONT);
	given_back(&t);
	assert_non_null(strstr(t.after, "the gateway has not answered since "));
	over(&t);
}

static void links_that_go_down_are_seen(void **state)
{
	struct tty t;

	run(&t, 80, 24, "smsc", "watch", NULL);
	sees(&t, "1 of 1 up");
	sees(&t, "accepted");
	end(&sim, SIGKILL);
	sees(&t, "0 of 1 up");
	sees(&t, "DOWN since ");
	sees(&t, "last error");
	types(&t, "q");
	becomes(&t, "E000");
	given_back(&t);
	over(&t);
}

/* Where there is no screen, or none is wanted, there are lines. */
static void no_screen_no_sequences(void **state)
{
	struct tty t;

	setenv("TERM", "dumb", 1);
	run(&t, 80, 24, "campaign", "watch", "swap1");
	for (int64_t until = now_ms() + WAIT_MS; !strstr(t.after, "swap1 RUNNING ") && now_ms() < until;)
		take(&t, 100);
	assert_non_null(strstr(t.after, "swap1 RUNNING "));
	types(&t, "\003");
	becomes(&t, "K002");
	assert_null(strchr(t.after, 27));
	over(&t);
	setenv("TERM", "xterm", 1);
	assert_int_equal(ctl("campaign", "watch", "nix", NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_sizes),
		cmocka_unit_test(signals_give_the_terminal_back),
		cmocka_unit_test(in_the_background_it_draws_all_the_same),
		cmocka_unit_test(stopped_and_continued),
		cmocka_unit_test(a_gateway_that_goes_away_is_told_and_waited_for),
		cmocka_unit_test(no_screen_no_sequences),
		cmocka_unit_test(links_that_go_down_are_seen),
	};

	setenv("TERM", "xterm", 1);
	setenv("LC_ALL", "C", 1);
	setenv("NO_COLOR", "1", 1);
	return cmocka_run_group_tests_name("watch", tests, setup, teardown);
}
