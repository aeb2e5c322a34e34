// A process of its own that opens a model: argument 1 the hub, 2 the cache folder. Ends with the snapshot's files as JSON.
import { openModel } from '../../src/node.ts';

const [endpoint, cacheDir] = process.argv.slice(2) as [string, string];
const source = await openModel('tiny/gpt2', { endpoint, cacheDir, token: false });
console.log(JSON.stringify([...(await source.list())].sort()));
