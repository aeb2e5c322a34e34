// A circuit: EAP-IG scores all edges of pocket for indirect object identification; the best few are kept and tested on other prompts.
import { fileURLToPath } from 'node:url';
import { eapIgInputs, evaluateCircuits, logitDiff, selectTopN } from '@limn/attribution';
import { loadGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { modelFolder } from '@limn/pocket';
import { generatePairs } from '@limn/tasks';

const gpu = await openNodeGpu();
const { model } = await loadGpt2(gpu, openFolder(fileURLToPath(modelFolder())));

// Pairs: a clean prompt whose answer is known, and a corrupted one of the same length in which nothing tells the answer.
const search = generatePairs('ioi', { seed: 0, n: 8, split: 'train' });
const unseen = generatePairs('ioi', { seed: 0, n: 8, split: 'held-out' });
console.log(`clean:     ${search[0]!.cleanText} …\ncorrupted: ${search[0]!.corruptedText} …\n`);

const scores = await eapIgInputs(model, search, { metric: logitDiff, steps: 5 });

const sizes = [4, 8, 16, 32, 64, 128];
const circuits = sizes.map((n) => selectTopN(scores, n));
const { clean, empty, circuits: found } = await evaluateCircuits(model, circuits, unseen, { metrics: [logitDiff] });
const [best, worst] = [clean.mean['logit-diff']!, empty.mean['logit-diff']!];
console.log(
  `whole model ${best.toFixed(2)}, everything corrupted ${worst.toFixed(2)} (logit difference on unseen pairs)`,
);
found.forEach(({ mean }, i) => {
  const faithfulness = (mean['logit-diff']! - worst) / (best - worst);
  const bar = '█'.repeat(Math.max(0, Math.round(30 * faithfulness)));
  console.log(
    `${String(sizes[i]).padStart(4)} of ${scores.graph.edgeCount} edges keep ${(100 * faithfulness).toFixed(0).padStart(4)} % ${bar}`,
  );
});
console.log(`\nthe smallest of them: ${circuits[1]!.edgeNames().slice(0, 8).join(', ')}`);
model.dispose();
gpu.dispose();
