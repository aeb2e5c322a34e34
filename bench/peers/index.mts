// Other libraries that can do some of the benches' jobs: opened by name, where they are installed.
import { withSoftwareVulkan } from '@limn/software-vulkan';
import { WrongArguments } from '../command.mjs';
import type { OpenPeer, Peer } from '../harness/contender.mjs';
import { openJax } from './jax.mjs';
import { openOnnxruntimeCpu, openOnnxruntimeWebgpu } from './onnxruntime.mjs';
import { openPytorch } from './pytorch.mjs';
import { openTfjs } from './tfjs.mjs';

const openers: Readonly<Record<string, readonly OpenPeer[]>> = {
  onnxruntime: [openOnnxruntimeWebgpu, openOnnxruntimeCpu],
  jax: [openJax],
  tfjs: [openTfjs],
  pytorch: [openPytorch()],
};

export const PEER_NAMES: readonly string[] = Object.keys(openers);

export interface OpenedPeers {
  readonly peers: readonly Peer[];
  /** What could not be opened and how to get it, one line each. */
  readonly missing: readonly string[];
}

/**
 * Opens peers by name, all of them by default, on the driver that limn's device came from: its `capabilities.source`, by default
 * what LIMN_ADAPTER says. Throws for names that there are not.
 */
export async function openPeers(
  names: readonly string[] = PEER_NAMES,
  source = process.env['LIMN_ADAPTER'],
): Promise<OpenedPeers> {
  const unknown = names.find((name) => !(name in openers));
  if (unknown !== undefined)
    throw new WrongArguments(`no peer is called '${unknown}'; there are ${PEER_NAMES.join(', ')}`);
  const peers: Peer[] = [];
  const missing = new Set<string>();
  for (const name of new Set(names))
    for (const open of openers[name]!) {
      const opened = source === 'swiftshader' ? await onSwiftShader(open) : await open();
      if ('missing' in opened) missing.add(opened.missing);
      else peers.push(opened);
    }
  return { peers, missing: [...missing] };
}

/** Which driver a Dawn finds depends on the environment while it looks for adapters, which every peer does when it is opened. */
async function onSwiftShader(open: OpenPeer): ReturnType<OpenPeer> {
  const opened = await withSoftwareVulkan(open);
  return 'available' in opened ? { missing: opened.reason } : opened;
}
