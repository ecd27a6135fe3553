import { defineJob } from 'headway';
import { plan, result } from '../plan-schema.mjs';
import { runPlan } from '../witness.mjs';

export default defineJob({ name: 'bulky', input: plan, result, concurrency: 10, run: runPlan });
