// Wallets and transactions, by the names of the client's library.
(function (kit) {
  "use strict";
  const { $, freeze, setting, stringify } = kit;
  const act = (name, ...values) => $.wallet(name, stringify(values));
  const blockchain = freeze({
    createWallet: () => act("createWallet"),
    importWallet: (privateKey) => act("importWallet", privateKey),
    validateAddress: (address) => act("validateAddress", address),
    getAddress: (publicKey) => act("getAddress", publicKey),
    getCardNumber: (address) => act("getCardNumber", address),
    sign: (text, wallet) => act("sign", text, wallet),
    verify: (text, signature, publicKey) => act("verify", text, signature, publicKey),
    deterministicStringify: (value) => act("deterministicStringify", value),
    createSignedTransaction: (wallet, to, amount, fee, data) =>
      act("createSignedTransaction", wallet, to, amount, fee, data, Date.now()),
    createSmartTransaction: (wallet, ops, fee, memo, prevHash, rawData) =>
      act("createSmartTransaction", wallet, ops, fee, memo, prevHash, rawData, Date.now()),
    validateTransaction: (transaction) => act("validateTransaction", transaction),
  });
  // the wallet whose the worker is: what everybody may know of it
  const owner = setting.owner ?? null;
  const number = owner === null ? null : act("getCardNumber", owner);
  return freeze({ blockchain, wallet: freeze({ address: owner, number }) });
})
