/* A Modbus server made with libmodbus: `libmodbus_server tcp`, or `libmodbus_server rtu PATH` on a serial port of 19200 baud, even parity.
 *
 * It prints {"port": ...} (0 for rtu) when it listens. Unit 7. Register n of the holding table holds 1000 + n and of the input table 2000 + n until
 * written; coil n is set where n is odd, discrete input n where it is a multiple of 3. There are 200 of each: an address behind is exception 2.
 * It ends when its parent does. */
#include <errno.h>
#include <modbus.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { UNIT = 7, COUNT = 200, MOST_CLIENTS = 8 };

static int fail(const char *what) {
    fprintf(stderr, "libmodbus_server: %s: %s\n", what, modbus_strerror(errno));
    return 1;
}

static int answer(modbus_t *context, modbus_mapping_t *tables) {
    uint8_t request[MODBUS_TCP_MAX_ADU_LENGTH];
    int length = modbus_receive(context, request);
    if (length > 0) {
        modbus_reply(context, request, length, tables);
    }
    return length;
}

static int serve_line(modbus_t *context, modbus_mapping_t *tables) {
    for (;;) {
        if (answer(context, tables) == -1 && errno != EMBBADCRC && errno != EMBBADDATA && errno != ETIMEDOUT) {
            return fail("receiving");
        }
    }
}

static int serve_sockets(modbus_t *context, modbus_mapping_t *tables, int listener) {
    struct pollfd sockets[1 + MOST_CLIENTS] = {{.fd = listener, .events = POLLIN}};
    int count = 1;
    for (;;) {
        sockets[0].events = count <= MOST_CLIENTS ? POLLIN : 0;
        if (poll(sockets, count, -1) == -1) {
            return fail("polling");
        }
        for (int row = count - 1; row > 0; row--) {
            if (!sockets[row].revents) {
                continue;
            }
            modbus_set_socket(context, sockets[row].fd);
            if (answer(context, tables) == -1) {
                close(sockets[row].fd);
                sockets[row] = sockets[--count];
            }
        }
        if (sockets[0].revents) {
            int client = accept(listener, NULL, NULL);
            if (client != -1) {
                sockets[count++] = (struct pollfd){.fd = client, .events = POLLIN};
            }
        }
    }
}

static int listen_on_free_port(int *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener == -1 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, MOST_CLIENTS) ||
        getsockname(listener, (struct sockaddr *)&address, &size)) {
        return -1;
    }
    *port = ntohs(address.sin_port);
    return listener;
}

int main(int argc, char **argv) {
    int is_rtu = argc == 3 && strcmp(argv[1], "rtu") == 0;
    if (!is_rtu && !(argc == 2 && strcmp(argv[1], "tcp") == 0)) {
        fprintf(stderr, "usage: libmodbus_server tcp | libmodbus_server rtu PATH\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    modbus_mapping_t *tables = modbus_mapping_new(COUNT, COUNT, COUNT, COUNT);
    modbus_t *context = is_rtu ? modbus_new_rtu(argv[2], 19200, 'E', 8, 1) : modbus_new_tcp("127.0.0.1", 0);
    if (!tables || !context || modbus_set_slave(context, UNIT)) {
        return fail("beginning");
    }
    for (int address = 0; address < COUNT; address++) {
        tables->tab_registers[address] = 1000 + address;
        tables->tab_input_registers[address] = 2000 + address;
        tables->tab_bits[address] = address % 2 == 1;
        tables->tab_input_bits[address] = address % 3 == 0;
    }
    int port = 0;
    int listener = is_rtu ? modbus_connect(context) : listen_on_free_port(&port);
    if (listener == -1) {
        return fail("listening");
    }
    printf("{\"port\": %d}\n", port);
    fflush(stdout);
    return is_rtu ? serve_line(context, tables) : serve_sockets(context, tables, listener);
}
