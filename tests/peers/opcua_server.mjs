// An OPC UA server made with node-opcua: `node opcua_server.mjs PORT PKI_FOLDER`. PORT 0 takes a free one.
//
// The first line it prints is {"port": ...}. Each line of JSON on its standard input is a command, answered by one line (README.md has them). It ends
// when its standard input does, so that it never outlives the test that started it.
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import certificateManagerPackage from "node-opcua-certificate-manager";
import nodesetsPackage from "node-opcua-nodesets";
import serverPackage from "node-opcua-server";
import statusCodePackage from "node-opcua-status-code";
import variantPackage from "node-opcua-variant";

const { OPCUACertificateManager } = certificateManagerPackage;
const { nodesets } = nodesetsPackage;
const { OPCUAServer } = serverPackage;
const { StatusCodes } = statusCodePackage;
const { DataType, Variant, VariantArrayType } = variantPackage;

const URI = "urn:monazite:peer";
const [port, folder] = process.argv.slice(2);

// Name: [data type, first value]. 64-bit integers are [high word, low word].
const SCALARS = {
  double: [DataType.Double, 0.1],
  float: [DataType.Float, 1.5],
  sbyte: [DataType.SByte, -128],
  byte: [DataType.Byte, 255],
  int16: [DataType.Int16, -7],
  uint16: [DataType.UInt16, 65535],
  int32: [DataType.Int32, -2147483648],
  uint32: [DataType.UInt32, 4000000000],
  int64: [DataType.Int64, [0xffffffff, 0xfffffff9]], // -7
  uint64: [DataType.UInt64, [0x00100000, 0x00000000]], // 2 to the 52nd
  uint64_wide: [DataType.UInt64, [0x00200000, 0x00000001]], // 2 to the 53rd, and 1: no float64 holds it
  boolean: [DataType.Boolean, true],
  text: [DataType.String, "Nd₂Fe₁₄B 17"],
  datetime: [DataType.DateTime, new Date("2026-01-02T03:04:05.678Z")],
  steps: [DataType.Double, 0],
  bad: [DataType.Double, 4.5],
};

function build(addressSpace) {
  const space = addressSpace.registerNamespace(URI);
  const plant = space.addObject({ organizedBy: addressSpace.rootFolder.objects, browseName: "Plant", nodeId: "s=Plant" });
  const nodes = {};
  const add = (name, options) => {
    nodes[name] = space.addVariable({ componentOf: plant, browseName: name, nodeId: `s=${name}`, minimumSamplingInterval: 0, ...options });
    return nodes[name];
  };
  for (const [name, [dataType, value]] of Object.entries(SCALARS)) {
    add(name, { dataType }).setValueFromSource({ dataType, arrayType: VariantArrayType.Scalar, value });
  }
  nodes.bad.setValueFromSource({ dataType: DataType.Double, value: 4.5 }, StatusCodes.BadSensorFailure);
  add("array", { dataType: DataType.Double, valueRank: 1, arrayDimensions: [3] }).setValueFromSource({
    dataType: DataType.Double,
    arrayType: VariantArrayType.Array,
    value: new Float64Array([1.25, 2.5, 3.75]),
  });
  const modes = space.addEnumerationType({
    browseName: "MODE",
    enumeration: [
      { displayName: "Manual", value: 0 },
      { displayName: "Automatic", value: 3 },
    ],
  });
  add("mode", { dataType: modes.nodeId }).setValueFromSource({ dataType: DataType.Int32, value: 3 });
  add("read_only", { dataType: DataType.Double, accessLevel: "CurrentRead", userAccessLevel: "CurrentRead" }).setValueFromSource({
    dataType: DataType.Double,
    value: 3,
  });
  // A device that refuses by itself, whatever the node's attributes say.
  let limited = 10;
  add("limited", {
    dataType: DataType.Double,
    minimumSamplingInterval: 50,
    value: {
      get: () => new Variant({ dataType: DataType.Double, value: limited }),
      set: (written) => {
        if (written.value < 0 || written.value > 100) return StatusCodes.BadOutOfRange;
        limited = written.value;
        return StatusCodes.Good;
      },
    },
  });
  nodes.percent = space.addAnalogDataItem({
    componentOf: plant,
    browseName: "percent",
    nodeId: "s=percent",
    dataType: DataType.Double,
    minimumSamplingInterval: 0,
    engineeringUnitsRange: { low: 0, high: 200 },
  });
  nodes.percent.setValueFromSource({ dataType: DataType.Double, value: 0 });
  addressSpace.installHistoricalDataNode(add("kept", { dataType: DataType.Double }), { maxOnlineValues: 1000 });
  nodes.kept.setValueFromSource({ dataType: DataType.Double, value: 0 }, StatusCodes.Good, new Date(Date.now() - 60_000));
  const method = space.addMethod(plant, {
    browseName: "dose",
    nodeId: "s=dose",
    inputArguments: [{ name: "litres", description: { text: "litres to dose" }, dataType: DataType.Float }],
    outputArguments: [],
  });
  method.bindMethod(([litres], context, answer) => {
    if (litres.value > 5) return answer(null, { statusCode: StatusCodes.BadOutOfRange });
    nodes.steps.setValueFromSource({ dataType: DataType.Double, value: litres.value });
    return answer(null, { statusCode: StatusCodes.Good, outputArguments: [] });
  });
  return nodes;
}

function sessions(server) {
  return Object.values(server.engine._sessions);
}

async function obey(server, nodes, { command, node, values, status, every, certificate }) {
  switch (command) {
    case "set":
      for (const value of values) {
        const { dataType } = nodes[node].readValue().value;
        nodes[node].setValueFromSource({ dataType, arrayType: VariantArrayType.Scalar, value }, StatusCodes[status ?? "Good"]);
        await new Promise((resolve) => setTimeout(resolve, every ?? 0));
      }
      return {};
    case "sessions":
      return {
        sessions: sessions(server).length,
        subscriptions: sessions(server).reduce((count, session) => count + session.currentSubscriptionCount, 0),
        cumulated: server.engine.cumulatedSessionCount,
      };
    case "forget":
      for (const session of sessions(server)) server.engine.closeSession(session.authenticationToken, true, "Terminated");
      return {};
    case "trust":
      await server.serverCertificateManager.trustCertificate(await readFile(certificate));
      return {};
    default:
      throw new Error(`no such command: ${command}`);
  }
}

const certificates = new OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: false });
await certificates.initialize();
const server = new OPCUAServer({
  port: Number(port),
  host: "127.0.0.1",
  hostname: "127.0.0.1",
  serverInfo: { applicationUri: "urn:monazite:peer:server" },
  nodeset_filename: [nodesets.standard],
  serverCertificateManager: certificates,
  userCertificateManager: certificates,
});
await server.initialize();
const nodes = build(server.engine.addressSpace);
await server.start();

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
say({ port: server.endpoints[0].port, certificate: server.certificateFile });
for await (const line of createInterface({ input: process.stdin })) {
  say(await obey(server, nodes, JSON.parse(line)));
}
process.exit(0);
