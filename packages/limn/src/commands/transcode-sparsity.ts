// Which of --k and --l1 an activation takes.
import { LimnError } from '@limn/gpu';
import { hasK, type ActivationName } from '../dictionary-settings.js';

/**
 * `given`: the options as they were written, where they were.
 * @throws LimnError `usage/dictionary-sparsity` for the other activation's option, and where λ is missing
 */
export function expectSparsity(
  activation: ActivationName,
  given: { readonly k: string | undefined; readonly l1: string | undefined },
): void {
  const wrong = hasK(activation) ? given.l1 : given.k;
  if (wrong === undefined && (hasK(activation) || given.l1 !== undefined)) return;
  const takes = hasK(activation) ? '--k' : '--l1';
  throw new LimnError(
    'usage/dictionary-sparsity',
    wrong === undefined ? `--activation ${activation} needs --l1` : `${wrong} is not of --activation ${activation}`,
    {
      details: { activation, given },
      hint: `${activation} takes ${takes}: ${hasK(activation) ? 'how many features fire' : 'what a feature costs'}`,
    },
  );
}
