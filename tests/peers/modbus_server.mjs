// A Modbus TCP server made with modbus-serial: `node modbus_server.mjs PORT`. It prints {"port": ...} and ends when its standard input does.
//
// Unit 7. Register n of the holding table holds 1000 + n and of the input table 2000 + n until written; coil n is set where n is odd, discrete input n
// where it is a multiple of 3. Addresses from 200 on do not exist (exception 2), and holding register 190 takes no value over 100 (exception 3).
import modbus from "modbus-serial";

const UNIT = 7;
const END = 200;
const holding = Array.from({ length: END }, (_, address) => 1000 + address);
const coils = Array.from({ length: END }, (_, address) => address % 2 === 1);

const refused = (code) => Object.assign(new Error(`exception ${code}`), { modbusErrorCode: code });
const existing = (address) => {
  if (address >= END) throw refused(2);
  return address;
};

const server = new modbus.ServerTCP(
  {
    getHoldingRegister: (address) => holding[existing(address)],
    getInputRegister: (address) => 2000 + existing(address),
    getCoil: (address) => coils[existing(address)],
    getDiscreteInput: (address) => existing(address) % 3 === 0,
    setRegister: (address, value) => {
      if (existing(address) === 190 && value > 100) throw refused(3);
      holding[address] = value;
    },
    setCoil: (address, value) => {
      coils[existing(address)] = value;
    },
  },
  { host: "127.0.0.1", port: Number(process.argv[2]), unitID: UNIT },
);
server.on("initialized", () => process.stdout.write(`${JSON.stringify({ port: server._server.address().port })}\n`));
process.stdin.on("end", () => process.exit(0)).resume();
