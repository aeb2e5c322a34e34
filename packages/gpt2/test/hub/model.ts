// A model as a repository holds it: about a megabyte of weights with values that tell every place apart, and a tokenizer.
import { formatConfig, newConfig } from '../../src/config.js';
import { writeSafetensors, type WritableTensor } from '../../src/safetensors-write.js';
import { weightShapes } from '../../src/weight-names.js';

const config = newConfig({ vocabulary: 3000, maxPositions: 16, width: 64, layers: 1, heads: 4, bosId: 0 });

/** Files by name; `shards` spreads the weights over two files and an index. */
export function modelFiles({ shards = false } = {}): Map<string, Uint8Array> {
  const utf8 = (value: unknown): Uint8Array =>
    new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
  let next = 1;
  const tensors = [...weightShapes(config, true)].map(([name, shape]): [string, WritableTensor] => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    return [`transformer.${name}`, { shape, data: Float32Array.from({ length: size }, () => (next++ % 4093) / 4096) }];
  });
  const vocab = { '<|endoftext|>': 0, a: 1, b: 2, ab: 3 };
  const files = new Map([
    ['README.md', utf8('# tiny')],
    ['config.json', utf8(formatConfig(config))],
    ['pytorch_model.bin', utf8('not read')],
    ['vocab.json', utf8(vocab)],
    ['merges.txt', utf8('#version: 0.2\na b\n')],
  ]);
  if (!shards) return files.set('model.safetensors', writeSafetensors(new Map(tensors), { format: 'pt' }));
  const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  const half = [tensors.slice(0, 4), tensors.slice(4)] as const;
  half.forEach((part, i) => files.set(names[i] as string, writeSafetensors(new Map(part))));
  const weight_map = Object.fromEntries(half.flatMap((part, i) => part.map(([name]) => [name, names[i]])));
  return files.set('model.safetensors.index.json', utf8({ metadata: {}, weight_map }));
}
