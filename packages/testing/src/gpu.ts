// One device for all tests of a process, on the adapter that LIMN_ADAPTER asks for.
import { LimnError, openGpu, type Gpu } from '@limn/gpu';

const key = Symbol.for('limn.testing.gpu');
const shared = globalThis as { [key]?: Promise<Gpu> };

/**
 * The shared device. Kept on globalThis, because test runners load modules more than once. Fails when the adapter is not the one
 * asked for, so that a run on the wrong driver cannot pass as a run on the right one.
 */
export function testGpu(): Promise<Gpu> {
  return (shared[key] ??= open());
}

async function open(): Promise<Gpu> {
  // Tests check that steps are cut by budget where they ask for it; elsewhere a fixed budget keeps cuts the same on every machine.
  // Poison turns a read of memory that nobody wrote into NaN.
  const options = { workBudgetFlops: 1e9, poison: true, label: 'limn tests' };
  if (typeof process === 'undefined' || !process.versions?.node) return openGpu(options);
  const { openNodeGpu } = await import('@limn/gpu/node');
  const gpu = await openNodeGpu(options);
  const asked = process.env['LIMN_ADAPTER'] ?? 'auto';
  if (asked !== 'auto' && gpu.capabilities.source !== asked)
    throw new LimnError(
      'testing/adapter',
      `LIMN_ADAPTER asks for '${asked}', but the adapter is '${gpu.capabilities.source}'`,
      {
        details: { asked, got: gpu.capabilities.source },
      },
    );
  reportAdapter(gpu);
  return gpu;
}

/** One line into the file that LIMN_TEST_REPORT names: `npm test` prints the adapters that were used and compares them. */
function reportAdapter({ capabilities }: Gpu): void {
  const path = process.env['LIMN_TEST_REPORT'];
  if (!path) return;
  const { source, adapter, f16, subgroups } = capabilities;
  const description = [adapter.description, adapter.device].find((text) => text) ?? adapter.architecture;
  const line = { kind: 'adapter', source, description, vendor: adapter.vendor, f16, subgroups };
  process.getBuiltinModule('node:fs').appendFileSync(path, `${JSON.stringify(line)}\n`);
}
