/** A schema without a library: everything that implements Standard Schema is accepted. */
const anything = { '~standard': { version: 1, vendor: 'own', validate: (value) => ({ value }) } };

export default { name: 'plain', input: anything, result: anything, run: async () => 1 };
