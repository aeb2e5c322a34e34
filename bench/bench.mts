// How near to the limit, and against which peer: ceilings of the adapter, kernels and whole jobs in one run.
import { openNodeGpu } from '@limn/gpu/node';
import { isGpt2Small, shapeName, shapeOf, shapeOptions, whole } from './arguments.mjs';
import { command } from './command.mjs';
import { benchRecord, SECTIONS } from './harness/bench-record.mjs';
import { writeResults } from './harness/node-results.mjs';
import { reachTable } from './harness/reach.mjs';
import { reachLines } from './harness/terminal-table.mjs';
import { openPeers, PEER_NAMES } from './peers/index.mjs';
import { makeFolder, RESULTS } from './result-file.mjs';

const USAGE = `npm run bench [-- --only ${SECTIONS.join()} --filter 'matmul|softmax' --peers ${PEER_NAMES.join()}|all --rounds 7 --out DIR
                  --layers 12 --heads 12 --width 768 --vocabulary 50257 --positions 1024]
LIMN_ADAPTER=swiftshader|system|auto says on which adapter. A part of the benches, or another shape, is written only where --out says.`;

const options = {
  only: { type: 'string', default: SECTIONS.join() },
  filter: { type: 'string', default: '' },
  peers: { type: 'string', default: '' },
  rounds: { type: 'string', default: '7' },
  out: { type: 'string', default: RESULTS },
  ...shapeOptions,
} as const;

/** Peers hold devices and threads of their own, which nothing else ends. */
let hasPeers = false;

await command(USAGE, { options }, async ({ values: asked }) => {
  const shape = shapeOf(asked);
  const rounds = whole(asked.rounds);
  const complete = asked.only === SECTIONS.join() && asked.filter === '' && isGpt2Small(shape);
  const isKept = complete || asked.out !== RESULTS;
  // Said now, not after half an hour of measuring.
  if (isKept) makeFolder(asked.out);
  using gpu = await openNodeGpu({ label: 'bench' });
  const names = asked.peers === 'all' ? PEER_NAMES : asked.peers.split(',').filter(Boolean);
  const { peers, missing } = await openPeers(names, gpu.capabilities.source);
  hasPeers = peers.length > 0;
  const record = await benchRecord(gpu, { ...asked, rounds, title: shapeName(shape), shape, peers, missing });
  reachLines(reachTable(record)).forEach((line) => console.log(line));
  if (isKept) for (const file of writeResults(asked.out, record)) console.log(`written to ${file}`);
  for (const peer of peers) await peer.close();
  // A peer that fails is on record; limn's own failures are this command's.
  return record.failures.some(({ name }) => !name.includes(' by ')) ? 1 : 0;
});
if (hasPeers) process.exit();
