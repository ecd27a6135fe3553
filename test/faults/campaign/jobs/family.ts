import { defineJob } from 'headway';
import { plan, result } from '../plan-schema.js';
import { runPlan } from '../run-plan.js';

export default defineJob({
  name: 'family',
  input: plan,
  result,
  concurrency: 10,
  run: (data, ctx) =>
    runPlan(data, ctx, {
      children: () =>
        Array.from({ length: data.children }, (_, i) =>
          ctx.child('member', {
            label: `${data.label}/${i}`,
            parent: ctx.jobId,
            rounds: 10,
            each: { log: 3, event: 1 },
            pauseMs: 50,
          }),
        ),
    }),
});
