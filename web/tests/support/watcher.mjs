/**
 * A server application in a process of its own, because Node reads NODE_EXTRA_CA_CERTS once, at its start:
 * `node watcher.mjs <sdk> <project> <token> <host>` writes the name of every room that begins.
 */

const [sdk, project, token, host] = process.argv.slice(2);
const connect = {
  async 'realtime-api-v3'({ Video }) {
    const client = new Video.Client({ project, token, host });
    client.on('room.started', tell);
    await client.subscribe();
  },
  async 'realtime-api-v4'({ SignalWire }) {
    const client = await SignalWire({ project, token, host });
    await client.video.listen({ onRoomStarted: tell });
  },
};
const tell = ({ name }) => console.log(`room ${name}`);

await connect[sdk](await import(sdk));
console.log('connected');
