// One folder that runs the benches and the kernel tests on a Linux x64 machine with nothing but a driver.
import path from 'node:path';
import { command } from './command.mjs';
import { overLimit, sizeTable } from './pack/size.mjs';
import { verifyPack } from './pack/verify.mjs';
import { writePack } from './pack/write-pack.mjs';

const root = path.resolve(import.meta.dirname, '..');
const USAGE = 'npm run bench:pack [-- --out limn-pack --verify]';
const options = {
  out: { type: 'string', default: path.join(root, 'limn-pack') },
  verify: { type: 'boolean', default: false },
} as const;

await command(USAGE, { options }, async ({ values: { out, verify } }) => {
  const { folder, sizes, notes } = await writePack(root, path.resolve(out));
  console.log(`${path.relative(process.cwd(), folder) || '.'}:`);
  sizeTable(sizes).forEach((line) => console.log(line));
  notes.forEach((note) => console.log(note));
  const over = overLimit(sizes);
  if (over !== undefined) throw new Error(over);
  return verify && !verifyPack(folder, process.env['LIMN_LONG'] === '1') ? 1 : 0;
});
