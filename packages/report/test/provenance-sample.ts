// Who computed a sample.
import type { Provenance } from '../src/index.js';

/** `text` replaces every free text. */
export function provenanceSample(text: (original: string, index: number) => string): Provenance {
  return {
    versions: { limn: text('0.1.0', 0), node: text('22.4.1', 1) },
    adapter: { vendor: text('google', 2), architecture: text('swiftshader', 3) },
    model: {
      name: text('pocket', 4),
      weightsSha256: '5'.repeat(64),
      weightProcessing: text('as in the file', 5),
      architecture: text('gpt2', 6),
      parameters: 421_504,
    },
    options: { device: text('auto', 7), maxFeatures: 500 },
    seed: 0,
    commandLine: text('limn features graph --model pocket "The war lasted from 1735 to 17"', 8),
  };
}
