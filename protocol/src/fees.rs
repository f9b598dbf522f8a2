//! Transaction fees (20 §19, 30 §14.3): what a call costs its signer under `FeeSchedule::Reference`.
//!
//! What belongs here: the table of weights and the length of a call. What does not: who pays
//! (`decide`). The weights are those of 30 §17, the base and the length of an encoded extrinsic are
//! estimates (docs/limitations.md), so fees are off by default.

use crate::call::{Call, Setting};
use crate::state::RootClaimType;
use crate::units::Rao;

/// The weight of any extrinsic, as a fee.
const BASE_RAO: u64 = 50_000;
/// What an encoded extrinsic has around its arguments: length, version, signer, signature, era,
/// nonce, tip, metadata mode, call index.
const ENVELOPE_BYTES: u64 = 110;
const ACCOUNT_BYTES: u64 = 32;
/// Read and written state of an administrative call that has no entry of its own in 30 §17.
const SETTING_WEIGHT_RAO: u64 = 62_503;

/// What a call costs: base, weight, and one rao per encoded byte. `None` for calls that are free.
pub fn fee(call: &Call) -> Option<Rao> {
    let weight = weight(call)?;
    Some(Rao(BASE_RAO + weight + ENVELOPE_BYTES + arguments_bytes(call)))
}

/// The weight part of a call's fee in rao (30 §17); `None` for calls that are free.
fn weight(call: &Call) -> Option<u64> {
    Some(match call {
        Call::SetWeights { .. }
        | Call::SetMechanismWeights { .. }
        | Call::CommitWeights { .. }
        | Call::CommitMechanismWeights { .. }
        | Call::RevealWeights { .. }
        | Call::RevealMechanismWeights { .. }
        | Call::ServeAxon { .. }
        | Call::IncreaseTake { .. }
        | Call::DecreaseTake { .. }
        | Call::SwapHotkey { .. }
        | Call::CommitTimelockedWeights { .. }
        | Call::CommitTimelockedMechanismWeights { .. }
        | Call::CommitCrv3MechanismWeights { .. }
        | Call::BatchSetWeights { .. }
        | Call::BatchCommitWeights { .. }
        | Call::BatchRevealWeights { .. } => return None,
        // Not an extrinsic of the chain.
        Call::SwitchRules { .. } => return None,
        Call::TransferAllowDeath { .. } => 130_000,
        Call::RegisterNetwork { .. } => 3_167_700,
        Call::StartCall { .. } => 177_390,
        Call::BurnedRegister { .. } => 2_764_600,
        Call::RootRegister { .. } => 1_105_450,
        Call::AddStake { .. } => 1_282_900,
        Call::RemoveStake { .. } => 835_900,
        Call::SudoSet(Setting::NumRootClaims { .. }) => 52_000,
        Call::SudoSet(Setting::RootClaimThreshold { .. }) => 52_855,
        Call::SudoSet(Setting::TxChildkeyTakeRateLimit { .. }) => 52_830,
        Call::SudoSet(Setting::PendingChildkeyCooldown { .. }) => 985_000_000,
        Call::SudoSet(Setting::Symbol { .. }) => 113_100,
        Call::SudoSet(_) => SETTING_WEIGHT_RAO,
        Call::RootDissolveNetwork { .. } => 1_684_500,
        Call::TryAssociateHotkey { .. } => 201_075,
        Call::AddStakeLimit { .. } => 1_313_950,
        Call::RemoveStakeLimit { .. } => 1_238_700,
        Call::RemoveStakeFullLimit { .. } => 1_247_650,
        Call::UnstakeAll { .. } => 89_415,
        Call::UnstakeAllAlpha { .. } => 1_991_750,
        Call::MoveStake { .. } => 619_650,
        Call::SwapStake { .. } => 1_838_150,
        Call::SwapStakeLimit { .. } => 1_868_250,
        Call::TransferStake { .. } => 542_650,
        Call::RecycleAlpha { .. } => 344_200,
        Call::BurnAlpha { .. } => 293_600,
        Call::AddStakeBurn { .. } => 1_384_000,
        Call::SetColdkeyAutoStakeHotkey { .. } => 164_965,
        Call::SetChildkeyTake { .. } => 195_725,
        Call::SetChildren { .. } => 1_684_500,
        Call::ClaimRoot { .. } => 408_500,
        Call::SetRootClaimType { .. } => 234_710,
        Call::TransferKeepAlive { .. } | Call::TransferAll { .. } => 130_000,
        Call::RegisterNetworkWithIdentity { .. } => 3_185_500,
        Call::Register { .. } => 1_398_950,
        Call::SetIdentity(_) => 106_615,
        Call::SetSubnetIdentity { .. } => 74_675,
        Call::DissolveNetwork { .. } => 1_684_500,
        Call::AnnounceColdkeySwap { .. } => 227_850,
        Call::SwapColdkeyAnnounced { .. } => 555_350,
        Call::DisputeColdkeySwap => 85_375,
        Call::ResetColdkeySwap { .. } => 104_488,
        Call::SwapColdkey { .. } => 793_350,
    })
}

/// Bytes of the encoded arguments: accounts 32, amounts 8, netuids and takes 2, lists with a length.
fn arguments_bytes(call: &Call) -> u64 {
    let list = |length: usize, bytes: u64| 1 + bytes * (length as u64);
    match call {
        Call::TransferAllowDeath { .. } => ACCOUNT_BYTES + 1 + 8,
        Call::RegisterNetwork { .. }
        | Call::RootRegister { .. }
        | Call::TryAssociateHotkey { .. }
        | Call::UnstakeAll { .. }
        | Call::UnstakeAllAlpha { .. } => ACCOUNT_BYTES,
        Call::StartCall { .. } | Call::RootDissolveNetwork { .. } => 2,
        Call::BurnedRegister { .. }
        | Call::SetColdkeyAutoStakeHotkey { .. }
        | Call::IncreaseTake { .. }
        | Call::DecreaseTake { .. } => ACCOUNT_BYTES + 2,
        Call::SetChildkeyTake { .. } => ACCOUNT_BYTES + 4,
        Call::AddStake { .. }
        | Call::RemoveStake { .. }
        | Call::RecycleAlpha { .. }
        | Call::BurnAlpha { .. } => ACCOUNT_BYTES + 10,
        Call::AddStakeLimit { .. } | Call::RemoveStakeLimit { .. } => ACCOUNT_BYTES + 19,
        Call::RemoveStakeFullLimit { limit_price, .. } => {
            ACCOUNT_BYTES + 3 + limit_price.map_or(0, |_| 8)
        }
        Call::AddStakeBurn { limit, .. } => ACCOUNT_BYTES + 11 + limit.map_or(0, |_| 8),
        Call::MoveStake { .. } | Call::TransferStake { .. } => 2 * ACCOUNT_BYTES + 12,
        Call::SwapStake { .. } => ACCOUNT_BYTES + 12,
        Call::SwapStakeLimit { .. } => ACCOUNT_BYTES + 21,
        Call::SetChildren { children, .. } => {
            ACCOUNT_BYTES + 2 + list(children.len(), ACCOUNT_BYTES + 8)
        }
        Call::ClaimRoot { subnets } => list(subnets.len(), 2),
        Call::SetRootClaimType { new_root_claim_type } => match new_root_claim_type {
            RootClaimType::Swap | RootClaimType::Keep => 1,
            RootClaimType::KeepSubnets(kept) => 1 + list(kept.len(), 2),
        },
        Call::SudoSet(Setting::SnOwnerHotkey { .. }) => ACCOUNT_BYTES + 2,
        Call::SudoSet(Setting::Symbol { value, .. }) => 2 + list(value.len(), 1),
        Call::SudoSet(_) => 10,
        Call::SetWeights { dests, weights, .. } => {
            10 + list(dests.len(), 2) + list(weights.len(), 2)
        }
        Call::SetMechanismWeights { dests, weights, .. } => {
            11 + list(dests.len(), 2) + list(weights.len(), 2)
        }
        Call::CommitWeights { .. } => 34,
        Call::CommitMechanismWeights { .. } => 35,
        Call::RevealWeights { uids, values, salt, .. }
        | Call::RevealMechanismWeights { uids, values, salt, .. } => {
            11 + list(uids.len(), 2) + list(values.len(), 2) + list(salt.len(), 2)
        }
        Call::ServeAxon { .. } => 28,
        Call::SwitchRules { .. } => 0,
        Call::TransferKeepAlive { .. } => ACCOUNT_BYTES + 1 + 8,
        Call::TransferAll { .. } => ACCOUNT_BYTES + 2,
        Call::RegisterNetworkWithIdentity { identity, .. } => {
            let texts = identity.as_deref().map_or(0, |identity| texts(&identity.texts()));
            ACCOUNT_BYTES + 1 + texts
        }
        Call::Register { .. } => 2 * ACCOUNT_BYTES + 51,
        Call::SetIdentity(identity) => texts(&identity.texts()),
        Call::SetSubnetIdentity { identity, .. } => 2 + texts(&identity.texts()),
        Call::DissolveNetwork { .. } => ACCOUNT_BYTES + 2,
        Call::SwapHotkey { netuid, .. } => 2 * ACCOUNT_BYTES + 1 + netuid.map_or(0, |_| 2),
        Call::AnnounceColdkeySwap { .. }
        | Call::SwapColdkeyAnnounced { .. }
        | Call::ResetColdkeySwap { .. } => ACCOUNT_BYTES,
        Call::DisputeColdkeySwap => 0,
        Call::SwapColdkey { .. } => 2 * ACCOUNT_BYTES + 8,
        Call::CommitTimelockedWeights { commit, .. } => 12 + list(commit.len(), 1),
        Call::CommitTimelockedMechanismWeights { commit, .. } => 13 + list(commit.len(), 1),
        Call::CommitCrv3MechanismWeights { commit, .. } => 11 + list(commit.len(), 1),
        Call::BatchSetWeights { netuids, weights, version_keys } => {
            let rows: u64 = weights.iter().map(|row| list(row.len(), 4)).sum();
            list(netuids.len(), 2) + 1 + rows + list(version_keys.len(), 8)
        }
        Call::BatchCommitWeights { netuids, commit_hashes } => {
            list(netuids.len(), 2) + list(commit_hashes.len(), 32)
        }
        Call::BatchRevealWeights { uids_list, values_list, salts_list, version_keys, .. } => {
            let lists = [uids_list, values_list, salts_list].into_iter();
            let rows: u64 = lists
                .map(|lists| 1 + lists.iter().map(|row| list(row.len(), 2)).sum::<u64>())
                .sum();
            2 + rows + list(version_keys.len(), 8)
        }
    }
}

/// Texts with a length of one byte each, of two where they are longer than 63.
fn texts(texts: &[&str]) -> u64 {
    texts.iter().map(|text| text.len() as u64 + if text.len() < 64 { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{AccountId, NetUid};
    use alloc::vec;

    #[test]
    fn a_stake_order_costs_its_weight_base_and_length() {
        let hotkey = AccountId::ZERO;
        let order = Call::AddStake { hotkey, netuid: NetUid(1), amount_staked: Rao(1) };
        assert_eq!(fee(&order), Some(Rao(50_000 + 1_282_900 + 110 + 42)));
        let children = vec![(1, hotkey), (2, hotkey)];
        let order = Call::SetChildren { hotkey, netuid: NetUid(1), children };
        assert_eq!(fee(&order), Some(Rao(50_000 + 1_684_500 + 110 + 32 + 2 + 1 + 80)));
        assert_eq!(fee(&Call::IncreaseTake { hotkey, take: 1 }), None);
    }
}
