// `limn` from source in a process of its own, so that it can be interrupted and killed.
import { main } from '../src/cli.js';

process.exitCode = await main(process.argv.slice(2));
