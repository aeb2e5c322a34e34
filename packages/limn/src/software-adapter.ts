// Whether the CPU stands in for a GPU.
import type { Capabilities } from '@limn/gpu';

/** Also of drivers that do not say so themselves. */
export function isSoftware({ adapter, source }: Capabilities): boolean {
  return adapter.isFallback || source === 'swiftshader' || /llvmpipe|swiftshader/i.test(adapter.device);
}
