// How near to the limit, and against which peer: ceilings of the adapter, kernels and whole jobs in one run.
// npm run bench [-- --only ceilings,kernels,jobs --filter 'matmul|softmax' --peers onnxruntime,jax,tfjs,pytorch|all --rounds 7 --out DIR --layers 12 …]
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { isGpt2Small, shapeName, shapeOf, shapeOptions, whole } from './arguments.mjs';
import { benchRecord, SECTIONS } from './harness/bench-record.mjs';
import { writeResults } from './harness/node-results.mjs';
import { reachTable } from './harness/reach.mjs';
import { reachLines } from './harness/terminal-table.mjs';
import { openPeers, PEER_NAMES } from './peers/index.mjs';
import { RESULTS } from './result-file.mjs';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: SECTIONS.join() },
    filter: { type: 'string', default: '' },
    peers: { type: 'string', default: '' },
    rounds: { type: 'string', default: '7' },
    out: { type: 'string', default: RESULTS },
    ...shapeOptions,
  },
});
const shape = shapeOf(options);
const rounds = whole(options.rounds);
const gpu = await openNodeGpu({ label: 'bench' });
const asked = options.peers === 'all' ? PEER_NAMES : options.peers.split(',').filter(Boolean);
const { peers, missing } = await openPeers(asked, gpu.capabilities.source);
const record = await benchRecord(gpu, { ...options, rounds, title: shapeName(shape), shape, peers, missing });
reachLines(reachTable(record)).forEach((line) => console.log(line));
// A part of the benches, or another shape, is recorded only where a place for it is named.
const complete = options.only === SECTIONS.join() && options.filter === '' && isGpt2Small(shape);
if (complete || options.out !== RESULTS)
  for (const file of writeResults(options.out, record)) console.log(`written to ${file}`);
// A peer that fails is on record; limn's own failures are this command's.
process.exitCode = record.failures.some(({ name }) => !name.includes(' by ')) ? 1 : 0;
for (const peer of peers) await peer.close();
gpu.dispose();
// Peers hold devices and threads of their own.
if (peers.length > 0) process.exit();
