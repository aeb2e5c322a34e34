// An adapter as results record it, and the folder that they go to. Runs in Node and in browsers.
import type { Gpu } from '@limn/gpu';
import type { AdapterRecord } from './record.mjs';

/** Drivers that compute on the CPU; what isFallbackAdapter says of others holds. */
const SOFTWARE = /llvmpipe|swiftshader|softpipe|microsoft basic render/i;
export const isSoftwareName = (words: string): boolean => SOFTWARE.test(words);

export function adapterRecord({ capabilities }: Gpu): AdapterRecord {
  const { adapter, source, f16, subgroups, subgroupMin, subgroupMax, timestamps } = capabilities;
  const { vendor, architecture, device, description } = adapter;
  return {
    vendor,
    architecture,
    device,
    description,
    source,
    isSoftware: adapter.isFallback || isSoftwareName(`${architecture} ${device} ${description}`),
    f16,
    subgroups: subgroups ? [subgroupMin, subgroupMax] : null,
    timestamps,
  };
}

/** 'lavapipe', 'swiftshader', or the words of the device's name: 'nvidia-h200'. */
export function adapterSlug({ vendor, architecture, device, description }: AdapterRecord): string {
  const all = `${architecture} ${device} ${description}`;
  if (/llvmpipe/i.test(all)) return 'lavapipe';
  if (/swiftshader/i.test(all)) return 'swiftshader';
  const words = (text: string): string =>
    text
      .toLowerCase()
      .replace(/\([^)]*\)/g, ' ')
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '');
  const name =
    words(device) || words(description.split(':')[0] ?? '') || words(`${vendor} ${architecture}`) || 'unknown-adapter';
  return name.slice(0, 60);
}
