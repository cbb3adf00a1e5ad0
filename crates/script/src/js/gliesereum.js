// The module that scripts import: the library for wallets and transactions, and exchanges.
export const {
  createWallet, importWallet, validateAddress, getAddress, getCardNumber, sign, verify, deterministicStringify,
  createSignedTransaction, createSmartTransaction, validateTransaction,
} = Stels.blockchain;
export const blockchain = Stels.blockchain;
export const cex = Stels.runtime.cex;
export default Stels.blockchain;
