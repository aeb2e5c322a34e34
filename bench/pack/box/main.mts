// What the pack's command runs: doctor, tests or a bench, after a driver was looked for.
import path from 'node:path';
import benches from 'pack:benches';
import { findDriver } from './find-driver.mjs';
import { keepOutput } from './log.mjs';
import { machine, results, tree } from './machine.mjs';

const [command = '', ...args] = process.argv.slice(2);
if (!['doctor', 'tests', 'bench'].includes(command)) {
  const names = benches.map(([name]) => name).join(' | ');
  console.log(`./run                      doctor, then tests, then bench
./run doctor               which GPU, driver and Vulkan loader there are, and what limn can do on them
./run tests [part…]        the kernel tests, or those whose file name has one of the parts in it
./run bench [name] [--…]   name: ${names}; the first one without a name
LIMN_ADAPTER=auto|system|swiftshader chooses the adapter; auto is the GPU's driver, and SwiftShader on the CPU without one.`);
  process.exit(command === 'help' || command === '--help' ? 0 : 2);
}
const named = benches.find(([name]) => name === args[0]);
keepOutput(path.join(results, `${command === 'bench' && named ? `bench-${named[0]}` : command}.log`));
// SwiftShader brings its own loader and driver.
const found =
  process.env['LIMN_ADAPTER'] === 'swiftshader'
    ? { loader: 'carried' as const, adapter: undefined, steps: [] }
    : await findDriver(machine());

if (command === 'doctor') {
  const { doctor } = await import('./doctor.mjs');
  process.exit((await doctor(found)) ? 0 : 1);
}
if (command === 'tests') {
  const { runKernelTests } = await import('./kernel-tests.mjs');
  process.exit((await runKernelTests(args)) ? 0 : 1);
}
if (!named && args[0] !== undefined && !args[0].startsWith('-')) {
  console.log(`there is no bench ${args[0]}; there are ${benches.map(([name]) => name).join(', ')}`);
  process.exit(2);
}
const [name, run] = named ?? benches[0]!;
process.argv = [process.execPath, path.join(tree, 'bench', `${name}.mts`), ...(named ? args.slice(1) : args)];
await run();
process.exit();
