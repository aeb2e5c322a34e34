// What the pack's command runs: doctor, tests or a bench, after a driver was looked for.
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import benches from 'pack:benches';
import { findDriver } from './find-driver.mjs';
import { keepOutput } from './log.mjs';
import { machine, results, tree } from './machine.mjs';

const [command = '', ...args] = process.argv.slice(2);
const commands: Readonly<Record<string, () => Promise<boolean>>> = {
  doctor: async () => (await import('./doctor.mjs')).doctor(found),
  tests: async () => (await import('./kernel-tests.mjs')).runKernelTests(args),
  bench: runBench,
};
const chosen = commands[command];
if (!chosen) {
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

if (command !== 'doctor') found.steps.forEach((step) => console.log(`driver: ${step}`));
try {
  process.exit((await chosen()) ? 0 : 1);
} catch (error) {
  console.error(error instanceof LimnError ? `${error.message}\n${error.hint ?? ''}` : error);
  process.exit(1);
}

/** True when all went well; a bench may also end the process, or set its exit code. */
async function runBench(): Promise<boolean> {
  if (!named && args[0] !== undefined && !args[0].startsWith('-')) {
    console.log(`there is no bench ${args[0]}; there are ${benches.map(([name]) => name).join(', ')}`);
    return false;
  }
  const [name, run] = named ?? benches[0]!;
  process.argv = [process.execPath, path.join(tree, 'bench', `${name}.mts`), ...(named ? args.slice(1) : args)];
  await run();
  return !process.exitCode;
}
